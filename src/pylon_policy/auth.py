"""The identity a rule sees: as a protocol, for the floors above, and as the members a rule can name."""

import enum
from typing import Protocol


class PolicyAuth(Protocol):
    """What a policy asks of an identity. ``pylon_auth.AuthContext`` is one."""

    @property
    def user_id(self) -> str | None: ...

    @property
    def tenant_id(self) -> str | None: ...

    @property
    def is_admin(self) -> bool: ...

    @property
    def is_guest(self) -> bool: ...

    def has_role(self, role: str, /) -> bool: ...

    def has_any_role(self, roles: tuple[str, ...], /) -> bool: ...


class AuthMember(enum.StrEnum):
    """The values are the protocol's attribute names."""

    USER_ID = "user_id"
    TENANT_ID = "tenant_id"
    IS_ADMIN = "is_admin"
    IS_GUEST = "is_guest"

    @property
    def is_flag(self) -> bool:
        """A boolean, never null; the other members are text or null."""
        return self in (AuthMember.IS_ADMIN, AuthMember.IS_GUEST)


AuthValue = str | bool | None

AUTH_MEMBERS = {
    "userId": AuthMember.USER_ID,
    "user_id": AuthMember.USER_ID,
    "tenantId": AuthMember.TENANT_ID,
    "tenant_id": AuthMember.TENANT_ID,
    "isAdmin": AuthMember.IS_ADMIN,
    "is_admin": AuthMember.IS_ADMIN,
    "isGuest": AuthMember.IS_GUEST,
    "is_guest": AuthMember.IS_GUEST,
}
"""By the names an expression may use after ``auth.``."""
