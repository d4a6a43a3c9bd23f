"""Who is asking: the identity every policy, route and function sees (contract 03 §3)."""

from typing import Any

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

    def to_wire(self) -> dict[str, Any]:
        """The JSON of ``GET /api/auth/me``: keys in published order, optional ones when they tell something."""
        wire: dict[str, Any] = {"user_id": self.user_id, "is_admin": self.is_admin}
        if self.is_guest:
            wire["is_guest"] = True
        wire["roles"] = list(self.roles)
        if self.tenant_id is not None:
            wire["tenant_id"] = self.tenant_id
        return wire

    def has_role(self, role: str) -> bool:
        return self.is_admin or role in self.roles

    def has_any_role(self, roles: tuple[str, ...]) -> bool:
        return self.is_admin or any(role in self.roles for role in roles)


class Anonymous(AuthContext, frozen=True):
    """No credential was shown: its own type, with the least rights. Use the one instance, ``ANONYMOUS``."""

    user_id: str | None = None


ANONYMOUS = Anonymous()
ADMIN = AuthContext(user_id=ADMIN_USER_ID, is_admin=True, roles=("admin",))
