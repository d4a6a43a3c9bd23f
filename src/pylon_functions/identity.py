"""Whom a function runs as when it is not called by whoever wants it: nested in another, or as a job. Pure.

Nobody gets the administrator's rights this way, also not the administrator. Whoever holds the admin token is no
user of the app, so what they leave to others is done as nobody; an administrator who is a user stays that user.
"""

import msgspec

from pylon_auth.context import ADMIN_USER_ID, ANONYMOUS, AuthContext


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    user_id: str
    is_guest: bool = False
    tenant_id: str | None = None
    roles: tuple[str, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Kept)


def without_admin(auth: AuthContext) -> AuthContext:
    """The same user, never the admin and with none of the admin's roles."""
    if auth.user_id == ADMIN_USER_ID:
        return ANONYMOUS
    return AuthContext(auth.user_id, tenant_id=auth.tenant_id) if auth.is_admin else auth


def encode_identity(auth: AuthContext) -> msgspec.Raw | None:
    """The user, as a job keeps it (``NewJob.identity``); ``None`` for nobody."""
    auth = without_admin(auth)
    if auth.user_id is None:
        return None
    return msgspec.Raw(_encoder.encode(_Kept(auth.user_id, auth.is_guest, auth.tenant_id, auth.roles)))


def decode_identity(kept: msgspec.Raw | None) -> AuthContext:
    """Whom a job's function runs as; a row of the table may say anything."""
    if kept is None:
        return ANONYMOUS
    who = _decoder.decode(kept)
    return without_admin(AuthContext(who.user_id, is_guest=who.is_guest, tenant_id=who.tenant_id, roles=who.roles))
