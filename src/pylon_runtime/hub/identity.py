"""Who opens a socket, as the authenticator told the endpoint."""

import msgspec

from pylon_auth.context import AuthContext


class SocketIdentity(msgspec.Struct, frozen=True):
    """The outcome of looking at an upgrade request (contract 05 §6.1, design decisions 6, 19 and 21).

    ``auth`` is ``None`` when no credential was shown or the one shown failed: never a lesser identity.
    ``subprotocol`` is echoed verbatim, also when its credential failed, because browsers abort otherwise.
    """

    auth: AuthContext | None
    subprotocol: str | None = None
    origin_allowed: bool = True
