"""The session cookie as text: its name, its ``Set-Cookie`` forms, and finding it in a ``Cookie`` header.

Pure functions, any thread. The attribute order is the published one (contract 03 §4.4).
"""

import enum
import re

import msgspec

FOREVER_S = 400 * 24 * 3600
"""The ``Max-Age`` of a session that never ends: the longest that browsers keep."""

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")


class SameSite(enum.StrEnum):
    STRICT = "Strict"
    LAX = "Lax"
    NONE = "None"


class CookieConfig(msgspec.Struct, frozen=True):
    """How the session cookie is sent. ``domain`` ``None`` binds it to the host that set it."""

    name: str
    domain: str | None = None
    secure: bool = True
    same_site: SameSite = SameSite.LAX

    def attributes(self) -> str:
        domain = f"; Domain={self.domain}" if self.domain else ""
        # Browsers refuse SameSite=None without Secure, so that combination is never sent.
        secure = "; Secure" if self.secure or self.same_site is SameSite.NONE else ""
        return f"; Path=/{domain}; HttpOnly{secure}; SameSite={self.same_site.value}"


def default_cookie_name(app_name: str) -> str:
    """``<app>_session``, every character a cookie name should not have replaced; ``pylon`` without an app name."""
    return f"{_NOT_IN_NAME.sub('_', app_name) or 'pylon'}_session"


def session_cookie(config: CookieConfig, token: str, lifetime_s: int) -> str:
    """The ``Set-Cookie`` value that stores a token for a session's lifetime (0: never ends)."""
    return f"{config.name}={token}{config.attributes()}; Max-Age={lifetime_s or FOREVER_S}"


def clearing_cookie(config: CookieConfig) -> str:
    """The ``Set-Cookie`` value that removes the session cookie."""
    return f"{config.name}={config.attributes()}; Max-Age=0"


def read_cookie(header: str, name: str) -> str | None:
    """The value of the first cookie of that name in a ``Cookie`` header, or ``None``."""
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        if equals and key.strip() == name:
            return value.strip()
    return None
