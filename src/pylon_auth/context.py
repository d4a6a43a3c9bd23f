"""Who is asking: the identity every policy, route and function sees (contract 03 §3)."""

import msgspec

ADMIN_USER_ID = "__admin__"


class AuthContext(msgspec.Struct, frozen=True):
    """A resolved identity: a user, a guest, or the admin. Never built from anything a client sent as data."""

    user_id: str | None
    is_admin: bool = False
    is_guest: bool = False
    roles: tuple[str, ...] = ()
    tenant_id: str | None = None
    session_id: str | None = None
    """Names the session (never its token), so that its sockets can be found when it ends."""

    def has_role(self, role: str) -> bool:
        return self.is_admin or role in self.roles

    def has_any_role(self, roles: tuple[str, ...]) -> bool:
        return self.is_admin or any(role in self.roles for role in roles)


class Anonymous(AuthContext, frozen=True):
    """No credential was shown: its own type, with the least rights. Use the one instance, ``ANONYMOUS``."""

    def __init__(self) -> None:
        super().__init__(user_id=None)


ANONYMOUS = Anonymous()
ADMIN = AuthContext(user_id=ADMIN_USER_ID, is_admin=True, roles=("admin",))
