"""The session endpoints: ``/api/auth/me``, ``/api/auth/session``, ``/api/auth/guest`` (contract 03 §4.3).

The token is in the answer's body for every client; a browser, known by its ``Origin``, also gets the cookie.
"""

from typing import Any

from pylon_auth import IssuedSession, clearing_cookie, device_label, session_cookie
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_router.context import Call, RouterContext
from pylon_router.table import Route


def get_me(_ctx: RouterContext, call: Call) -> Response:
    return Response.json(call.caller.auth.to_wire())


def get_session(ctx: RouterContext, call: Call) -> Response:
    auth = call.caller.auth
    user = None if auth.is_admin or auth.is_guest or auth.user_id is None else _user(ctx, auth.user_id)
    return Response.json({"session": auth.to_wire(), "user": user})


def create_session(ctx: RouterContext, call: Call) -> Response:
    """Sign in as anyone: a development shortcut, and for the admin."""
    if not (ctx.dev_mode or call.caller.auth.is_admin):
        raise PylonError("FORBIDDEN", "Sessions are created here in development mode or by the admin only.")
    user_id = jsontext.decode_object(call.body).get("user_id")
    if not isinstance(user_id, str) or not user_id:
        raise PylonError("MISSING_USER_ID", "user_id must be a non-empty string.")
    issued = ctx.sessions.create(user_id)
    session = issued.session
    body = {"token": issued.token, "user_id": user_id, "expires_at": session.expires_at}
    return Response.json(body, status=201)


def delete_session(ctx: RouterContext, call: Call) -> Response:
    """Signing out cannot fail: a token that is no session is as good as revoked."""
    if call.caller.token is not None:
        ctx.sessions.revoke(call.caller.token)
    return Response.json({"revoked": True}, headers=(("Set-Cookie", clearing_cookie(ctx.cookie)),))


def create_guest(ctx: RouterContext, call: Call) -> Response:
    issued = ctx.sessions.create_guest(device_label(call.caller.user_agent))
    body = {"token": issued.token, "user_id": issued.session.user_id, "guest": True}
    return Response.json(body, status=201, headers=_sign_in_headers(ctx, call, issued))


def _sign_in_headers(ctx: RouterContext, call: Call, issued: IssuedSession) -> tuple[tuple[str, str], ...]:
    if not call.caller.has_origin:
        return ()
    return (("Set-Cookie", session_cookie(ctx.cookie, issued.token, ctx.sessions.lifetime_s)),)


def _user(ctx: RouterContext, user_id: str) -> dict[str, Any] | None:
    """The caller's own row as a session shows it: ``auth.user.expose`` if set, and never a secret."""
    rules = ctx.manifest.auth.user
    if ctx.manifest.entity(rules.entity) is None:
        return None
    row = ctx.store.get(rules.entity, user_id)
    if row is None:
        return None
    shown = ctx.project(rules.entity, row)
    return {
        field: value
        for field, value in shown.items()
        if field == "id" or not rules.expose or field in rules.expose
    }


ROUTES = (
    Route("GET", "/api/auth/me", get_me),
    Route("GET", "/api/auth/session", get_session),
    Route("POST", "/api/auth/session", create_session),
    Route("DELETE", "/api/auth/session", delete_session),
    Route("POST", "/api/auth/guest", create_guest),
)
