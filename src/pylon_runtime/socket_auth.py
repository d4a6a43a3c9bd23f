"""Who opens a socket: credential and origin of a WebSocket upgrade or an event stream (contract 05 §6.1, §8).

Any thread may call. The credential is the bearer header, else a bearer subprotocol (of a WebSocket), else the
session cookie; the first that is present decides alone, so a bad one is a refusal and never falls through to a
weaker one.

A request must be for this server by name (``HostRule``), or it raises. Browsers send cookies with sockets that
any page opens, so a page must be of an origin that may write with a cookie. A stream that is opened without a
credential holds only what anybody may read, like an anonymous request: pages that may read answers of the API may
have that too.
"""

from pylon_auth import ANONYMOUS, CredentialResolver, bearer_token, cookie_token, subprotocol_token
from pylon_http import Request
from pylon_runtime.hosts import HostRule
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.origins import OriginRule, calling_origin


class SocketAuthenticator:
    def __init__(
        self,
        credentials: CredentialResolver,
        cookie_name: str,
        hosts: HostRule,
        origins: OriginRule,
        readers: OriginRule,
    ) -> None:
        """``origins`` may open sockets in somebody's name, ``readers`` read what is public."""
        self._credentials = credentials
        self._cookie_name = cookie_name
        self._hosts = hosts
        self._origins = origins
        self._readers = readers

    def upgrade(self, request: Request) -> SocketIdentity:
        """Raises FORBIDDEN for a request that is for another host."""
        self._hosts.check(request)
        headers = request.headers
        offered = subprotocol_token(headers)
        token = bearer_token(headers)
        if token is None:
            token = cookie_token(headers, self._cookie_name) if offered is None else offered.token
        return self._identity(
            token,
            subprotocol=None if offered is None else offered.subprotocol,
            origin_allowed=self._origins.allows(headers.get("origin"), headers.get("host")),
        )

    def stream(self, request: Request) -> SocketIdentity:
        """Raises FORBIDDEN for a request that is for another host."""
        self._hosts.check(request)
        headers = request.headers
        token = bearer_token(headers)
        if token is None:
            token = cookie_token(headers, self._cookie_name)
        origin, host = calling_origin(headers), headers.get("host")
        may_read = token is None and self._readers.allows(origin, host)
        return self._identity(token, None, origin_allowed=may_read or self._origins.allows(origin, host))

    def _identity(self, token: str | None, subprotocol: str | None, *, origin_allowed: bool) -> SocketIdentity:
        if token is None:
            return SocketIdentity(ANONYMOUS, subprotocol, origin_allowed)
        proof = self._credentials.authenticate(token)
        if proof is None:
            return SocketIdentity(None, subprotocol, origin_allowed)
        return SocketIdentity(proof.auth, subprotocol, origin_allowed, proof.expires_ns)
