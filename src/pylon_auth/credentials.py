"""From what a request carries to who is asking (contract 03 §2, 05 §6.1).

Where a credential may stand is pure text work; ``CredentialResolver`` says what it is worth. A token that is
worth nothing makes an HTTP request anonymous, as clients expect, but proves nothing on a socket, which is then
refused. Any thread may call.
"""

import hmac
import re
from urllib.parse import unquote_to_bytes

import msgspec

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_auth.cookies import read_cookie
from pylon_auth.session_cache import NEVER_NS
from pylon_auth.store import SessionStore
from pylon_core.errors import PylonError
from pylon_http import Headers

_BEARER = re.compile(r"bearer +([!-~]+)", re.ASCII | re.IGNORECASE)
_BEARER_SCHEME = re.compile(r"bearer(?![\w!#$%&'*+.^`|~-])", re.ASCII | re.IGNORECASE)
"""The whole word, by what may stand in the name of a scheme."""
_SUBPROTOCOL_BEARER = "bearer."
_API_KEY = "pk."
_HEX = frozenset("0123456789abcdefABCDEF")


def bearer_token(headers: Headers) -> str | None:
    """The token in ``Authorization: Bearer``, in any case (RFC 9110 §11.1); ``None`` when there is no such header,
    or it is of another scheme. Empty for one that has no token, or more than one word: it was shown, and fails."""
    value = headers.get("authorization")
    if value is None:
        return None
    found = _BEARER.fullmatch(value.strip(" \t"))
    if found is not None:
        return found[1]
    return "" if _BEARER_SCHEME.match(value) else None


def cookie_token(headers: Headers, cookie_name: str) -> str | None:
    """The session cookie's value; ``None`` without one, and for an empty one, which is a cookie cleared."""
    header = headers.get("cookie")
    return None if header is None else read_cookie(header, cookie_name) or None


class SubprotocolToken(msgspec.Struct, frozen=True):
    """A token that came as a WebSocket subprotocol, and the subprotocol to echo verbatim."""

    subprotocol: str | None
    token: str


_UNREADABLE = SubprotocolToken(None, "")
"""Stands for credentials none of which could be read: it is one that fails, not one that was not shown."""


def subprotocol_token(headers: Headers) -> SubprotocolToken | None:
    """The first ``bearer.<percent-encoded token>`` a WebSocket client offers that decodes cleanly; ``None`` when
    it offers no such thing at all."""
    unreadable = None
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        subprotocol = offered.strip()
        if subprotocol.startswith(_SUBPROTOCOL_BEARER):
            token = percent_decoded(subprotocol[len(_SUBPROTOCOL_BEARER) :])
            if token is not None:
                return SubprotocolToken(subprotocol, token)
            unreadable = _UNREADABLE
    return unreadable


def percent_decoded(text: str) -> str | None:
    """The text with ``%XX`` read as UTF-8 bytes and ``+`` as a space; ``None`` for a bad escape or bad UTF-8."""
    for tail in text.split("%")[1:]:
        if len(tail) < 2 or not _HEX.issuperset(tail[:2]):
            return None
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeError:
        return None


class Proof(msgspec.Struct, frozen=True):
    """Whom a credential proves its bearer to be, and until when, in nanoseconds since the epoch."""

    auth: AuthContext
    expires_ns: int = NEVER_NS


_ADMINISTRATOR = Proof(ADMIN)


class CredentialResolver:
    """Says whom a token stands for: the admin, or the holder of a session.

    API keys do not exist yet, so every token of their shape is an invalid one.
    """

    def __init__(self, sessions: SessionStore, admin_token: str | None) -> None:
        self._sessions = sessions
        # An empty admin token would make every empty cookie an administrator.
        self._admin_token = admin_token.encode() if admin_token else None

    def identify(self, token: str | None) -> AuthContext:
        """For HTTP: an unknown, revoked or expired session is anonymous. Raises INVALID_API_KEY, and UNAUTHORIZED
        for an empty token, which stands for one that could not be read."""
        if token is None:
            return ANONYMOUS
        if not token:
            raise PylonError(
                "UNAUTHORIZED",
                "The Authorization header cannot be read.",
                hint="Send it as Authorization: Bearer <token>, or not at all.",
            )
        if self._is_admin(token):
            return ADMIN
        if token.startswith(_API_KEY):
            raise PylonError("INVALID_API_KEY", "The API key is not valid.")
        return self._sessions.resolve(token) or ANONYMOUS

    def authenticate(self, token: str) -> Proof | None:
        """For sockets: whom the token proves the caller to be; ``None`` for one that fails."""
        if self._is_admin(token):
            return _ADMINISTRATOR
        entry = self._sessions.resolve_until(token)
        return None if entry is None else Proof(entry[1], entry[0])

    def _is_admin(self, token: str) -> bool:
        if self._admin_token is None:
            return False
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._admin_token)
