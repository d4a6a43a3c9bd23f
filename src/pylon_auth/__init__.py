"""Owns identity: sessions, roles, ``AuthContext``, and the protocols its storage backends implement.

Never speaks SQL and never knows the server.
"""

from pylon_auth.context import ADMIN, ADMIN_USER_ID, ANONYMOUS, Anonymous, AuthContext
from pylon_auth.cookies import (
    CookieConfig,
    SameSite,
    clearing_cookie,
    default_cookie_name,
    read_cookie,
    session_cookie,
)
from pylon_auth.credentials import (
    CredentialResolver,
    Proof,
    SubprotocolToken,
    bearer_token,
    cookie_token,
    subprotocol_token,
)
from pylon_auth.devices import device_label
from pylon_auth.session_cache import NEVER_NS
from pylon_auth.sessions import IssuedSession, Session, SessionBackend, SessionFate
from pylon_auth.store import SessionStore
from pylon_auth.tokens import RandomBytes, is_session_token, new_token, token_hash

__all__ = [
    "ADMIN",
    "ADMIN_USER_ID",
    "ANONYMOUS",
    "NEVER_NS",
    "Anonymous",
    "AuthContext",
    "CookieConfig",
    "CredentialResolver",
    "IssuedSession",
    "Proof",
    "RandomBytes",
    "SameSite",
    "Session",
    "SessionBackend",
    "SessionFate",
    "SessionStore",
    "SubprotocolToken",
    "bearer_token",
    "clearing_cookie",
    "cookie_token",
    "default_cookie_name",
    "device_label",
    "is_session_token",
    "new_token",
    "read_cookie",
    "session_cookie",
    "subprotocol_token",
    "token_hash",
]
