"""Which web pages may call: the parsing of origins, and the one rule for writes (CSRF) and for sockets.

A browser names the page behind a request in ``Origin`` (or, older, in ``Referer``); programs that are not
browsers name none, and pass. Pure functions and immutable rules, any thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pylon_http import Headers
from pylon_runtime.hosts import ANY, is_this_machine

_DEFAULT_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}


def origin(text: str) -> str:
    """The text, when it is an origin as browsers send it, ``scheme://host[:port]``; else ``ValueError``."""
    split = _split(text)
    if split is None or text != f"{split[0]}://{split[1]}":
        raise ValueError(
            f"{text!r} is not an origin; expected scheme://host[:port] without a path or a final slash"
        )
    return text


def origin_of_url(url: str) -> str | None:
    """The origin part of a URL (a ``Referer``), or ``None`` when it has none."""
    split = _split(url)
    return None if split is None else f"{split[0]}://{split[1]}"


def origin_host(origin: str) -> str | None:
    """The host a listed origin names; ``None`` for ``*`` and ``null``, which name none."""
    return urlsplit(origin).hostname


def calling_origin(headers: Headers) -> str | None:
    """The page behind a request: ``Origin``, else the origin of ``Referer`` (``null`` when that has none)."""
    sent = headers.get("origin")
    if sent is not None:
        return sent
    referer = headers.get("referer")
    return None if referer is None else origin_of_url(referer) or "null"


@dataclass(frozen=True)
class OriginRule:
    """Which origins pass. A request without one passes, and so does a page this very server delivered.

    ``local`` adds every page of this machine, on any port, for development.
    """

    listed: frozenset[str]
    local: bool = False

    @classmethod
    def of(cls, origins: Iterable[str], *, local: bool = False) -> "OriginRule":
        return cls(frozenset(origins), local)

    def allows(self, origin: str | None, host: str | None) -> bool:
        """``host`` is the request's ``Host``; the same authority there means the same site."""
        if origin is None or ANY in self.listed or origin in self.listed:
            return True
        split = _split(origin)
        if split is None:
            return False
        scheme, authority = split
        if host is not None and authority.removesuffix(_DEFAULT_PORTS.get(scheme, "")) == _plain(scheme, host):
            return True
        return self.local and _is_local(authority)


def _plain(scheme: str, host: str) -> str:
    return host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _split(url: str) -> tuple[str, str] | None:
    """Scheme and authority of an absolute URL, lower-case; ``None`` for anything without both."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if not parts.scheme or not host:
        return None
    bracketed = f"[{host}]" if ":" in host else host
    return parts.scheme, bracketed if port is None else f"{bracketed}:{port}"


def _is_local(authority: str) -> bool:
    return is_this_machine(urlsplit(f"//{authority}").hostname or "")
