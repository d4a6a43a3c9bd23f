"""``GET /api/auth/me`` as clients read it: keys in order, optional ones only when they say something."""

import pytest

from pylon_auth import ADMIN, ANONYMOUS, AuthContext
from pylon_core import jsontext


@pytest.mark.parametrize(
    ("auth", "text"),
    [
        (ANONYMOUS, '{"user_id":null,"is_admin":false,"roles":[]}'),
        (
            AuthContext(user_id="u_41", tenant_id="org_9"),
            '{"user_id":"u_41","is_admin":false,"roles":[],"tenant_id":"org_9"}',
        ),
        (ADMIN, '{"user_id":"__admin__","is_admin":true,"roles":["admin"]}'),
        (
            AuthContext(user_id="guest_1", is_guest=True, session_id="ses_secret"),
            '{"user_id":"guest_1","is_admin":false,"is_guest":true,"roles":[]}',
        ),
    ],
    ids=["anonymous", "tenant", "admin", "guest"],
)
def test_an_identity_as_json(auth: AuthContext, text: str) -> None:
    assert jsontext.encode(auth.to_wire()).decode() == text
