"""The session cookie: the variables, and ``SessionCookieConfig``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pylon_auth import CookieConfig, SameSite, default_cookie_name
from pylon_runtime.settings import Setting, boolean, one_of, visible_ascii


def _cookie_name(text: str) -> str:
    if default_cookie_name(text) != f"{text}_session":
        raise ValueError("expected letters, digits, _ and -")
    return text


def _domain(text: str) -> str:
    if ";" in visible_ascii(text) or "," in text:
        raise ValueError("expected a domain name")
    return text


COOKIE_NAME = Setting("PYLON_COOKIE_NAME", _cookie_name, "<app>_session", "Name of the session cookie.")
COOKIE_DOMAIN = Setting("PYLON_COOKIE_DOMAIN", _domain, "the host alone", "Domain of the session cookie.")
COOKIE_SECURE = Setting(
    "PYLON_COOKIE_SECURE", boolean, "0 in dev mode, else 1", "Whether browsers send the cookie over HTTPS only."
)
COOKIE_SAME_SITE = Setting(
    "PYLON_COOKIE_SAME_SITE",
    one_of("strict", "lax", "none"),
    "lax",
    "Which foreign pages' requests carry the cookie; none implies a secure cookie.",
)

COOKIE_SETTINGS: tuple[Setting[Any], ...] = (COOKIE_NAME, COOKIE_DOMAIN, COOKIE_SECURE, COOKIE_SAME_SITE)


@dataclass(frozen=True)
class SessionCookieConfig:
    """``name`` is ``None`` for one that is made of the app's."""

    name: str | None
    domain: str | None
    secure: bool
    same_site: SameSite

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, dev_mode: bool) -> "SessionCookieConfig":
        """Raises ``ConfigError`` naming the variable at fault."""
        secure = COOKIE_SECURE.given(environ)
        return cls(
            name=COOKIE_NAME.given(environ),
            domain=COOKIE_DOMAIN.given(environ),
            secure=not dev_mode if secure is None else secure,
            same_site=SameSite(COOKIE_SAME_SITE.read(environ).capitalize()),
        )

    def of(self, app_name: str) -> CookieConfig:
        """The session cookie of an app."""
        return CookieConfig(
            name=self.name or default_cookie_name(app_name),
            domain=self.domain,
            secure=self.secure,
            same_site=self.same_site,
        )
