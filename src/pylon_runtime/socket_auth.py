"""Who opens a socket: credential and origin of a WebSocket upgrade or an event stream (contract 05 §6.1).

Any thread may call. The credential is the bearer header, else a bearer subprotocol, else the session cookie;
the first that is present decides alone, so a bad one is a refusal and never falls through to a weaker one.
"""

from pylon_auth import CredentialResolver, bearer_token, cookie_token, subprotocol_token
from pylon_http import Request
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.origins import OriginRule


class SocketAuthenticator:
    def __init__(self, credentials: CredentialResolver, cookie_name: str, origins: OriginRule) -> None:
        self._credentials = credentials
        self._cookie_name = cookie_name
        self._origins = origins

    def __call__(self, request: Request) -> SocketIdentity:
        headers = request.headers
        offered = subprotocol_token(headers)
        token = bearer_token(headers)
        if token is None:
            token = cookie_token(headers, self._cookie_name) if offered is None else offered.token
        return SocketIdentity(
            auth=self._credentials.authenticate(token),
            subprotocol=None if offered is None else offered.subprotocol,
            origin_allowed=self._origins.allows(headers.get("origin"), headers.get("host")),
        )
