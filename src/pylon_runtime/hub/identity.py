"""Who opens a socket, as the authenticator told the endpoint."""

import msgspec

from pylon_auth import NEVER_NS
from pylon_auth.context import AuthContext


class SocketIdentity(msgspec.Struct, frozen=True):
    """The outcome of looking at an upgrade request, or at one for an event stream (contract 05 §6.1, design
    decisions 6, 19 and 21).

    ``auth`` is ``None`` when the credential shown failed: never a lesser identity. Without any it is
    ``ANONYMOUS``. ``subprotocol`` is echoed verbatim, also when its credential failed, because browsers abort
    otherwise.
    """

    auth: AuthContext | None
    subprotocol: str | None = None
    origin_allowed: bool = True
    expires_ns: int = NEVER_NS
    """When the session ends by itself."""
