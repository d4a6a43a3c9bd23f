"""The session endpoints (contract 03 §4.3)."""

import re
from collections.abc import Iterator

import pytest

from pylon_auth import AuthContext
from tests.strategies.documents import app, entity, field
from tests.support.data_api import DataApi, optional


@pytest.fixture
def dev() -> Iterator[DataApi]:
    opened = DataApi(dev_mode=True)
    yield opened
    opened.store.close()


@pytest.mark.parametrize(
    ("as_user", "me"),
    [
        ("anonymous", {"user_id": None, "is_admin": False, "roles": []}),
        ("guest", {"user_id": "guest_1", "is_admin": False, "is_guest": True, "roles": []}),
        ("ed", {"user_id": "ed", "is_admin": False, "roles": ["editor"], "tenant_id": "acme"}),
        ("admin", {"user_id": "__admin__", "is_admin": True, "roles": ["admin"]}),
    ],
)
def test_me_is_the_callers_identity(api: DataApi, as_user: str, me: object) -> None:
    assert api.send("GET", "/api/auth/me?x=1", as_user).json == me


@pytest.mark.parametrize("as_user", ["anonymous", "guest", "bob", "admin"])
def test_a_session_without_a_user_row_has_no_user(api: DataApi, as_user: str) -> None:
    for user_id in ("guest_1", "__admin__"):
        api.add("User", user_id, email=f"{user_id}@b.c")

    session = api.send("GET", "/api/auth/session", as_user).json

    assert session == {"session": api.send("GET", "/api/auth/me", as_user).json, "user": None}


def test_a_session_shows_its_users_row(api: DataApi) -> None:
    api.add("User", "alice", email="a@b.c")

    assert api.send("GET", "/api/auth/session").json["user"] == {"id": "alice", "email": "a@b.c"}


def test_expose_is_an_allow_list_that_shows_no_secret() -> None:
    account = entity("Account", fields=[field("email"), optional("name"), optional("passwordHash")])
    user_rules = {"entity": "Account", "expose": ["name", "passwordHash"]}
    api = DataApi(app(entities=[account], auth={"user": user_rules}))
    api.add("Account", "alice", email="a@b.c", name="Alice", passwordHash="h4sh")

    assert api.send("GET", "/api/auth/session").json["user"] == {"id": "alice", "name": "Alice"}
    api.store.close()


def test_an_app_without_a_user_entity_has_sessions_without_users() -> None:
    api = DataApi(app())

    assert api.send("GET", "/api/auth/session").json["user"] is None
    api.store.close()


@pytest.mark.parametrize("as_user", ["anonymous", "alice", "admin"])
def test_development_mode_signs_in_as_anyone(dev: DataApi, as_user: str) -> None:
    created = dev.send("POST", "/api/auth/session", as_user, {"user_id": "carol"}, has_origin=True)

    assert created.status == 201
    assert created.json.keys() == {"token", "user_id", "expires_at"}
    assert created.headers == {}
    assert dev.ctx.sessions.resolve(created.json["token"]) == AuthContext(
        "carol", session_id=dev.ctx.sessions.sessions_of("carol")[0].id
    )


@pytest.mark.parametrize(
    ("as_user", "body", "status", "code"),
    [
        ("anonymous", {"user_id": "carol"}, 403, "FORBIDDEN"),
        ("alice", b"{", 403, "FORBIDDEN"),
        ("admin", b"{", 400, "INVALID_JSON"),
        ("admin", None, 400, "INVALID_JSON"),
        ("admin", {}, 400, "MISSING_USER_ID"),
        ("admin", {"user_id": ""}, 400, "MISSING_USER_ID"),
        ("admin", {"user_id": 7}, 400, "MISSING_USER_ID"),
    ],
)
def test_refused_sessions(api: DataApi, as_user: str, body: object, status: int, code: str) -> None:
    refused = api.send("POST", "/api/auth/session", as_user, body)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize("body", [None, b"not json"])
def test_anyone_can_become_a_guest(api: DataApi, body: object) -> None:
    created = api.send("POST", "/api/auth/guest", "anonymous", body)

    assert created.status == 201
    assert re.fullmatch("pylon_[0-9a-f]{64}", created.json["token"])
    assert re.fullmatch("guest_[0-9a-f]{32}", created.json["user_id"])
    assert created.json["guest"] is True
    identity = api.ctx.sessions.resolve(created.json["token"])
    assert identity is not None
    assert identity.is_guest


def test_a_browser_guest_gets_a_cookie_too(api: DataApi) -> None:
    api_client = api.send("POST", "/api/auth/guest", "anonymous")
    browser = api.send("POST", "/api/auth/guest", "anonymous", has_origin=True)

    assert api_client.headers == {}
    expected = f"notes_session={browser.json['token']}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=2592000"
    assert browser.headers == {"Set-Cookie": expected}


def test_a_guests_device_is_named_after_its_user_agent(api: DataApi) -> None:
    guest = api.send("POST", "/api/auth/guest", "anonymous", user_agent="curl/8").json

    assert api.ctx.sessions.sessions_of(guest["user_id"])[0].device == "curl"


def test_signing_out_ends_the_session_and_clears_the_cookie(api: DataApi) -> None:
    token = api.send("POST", "/api/auth/guest", "anonymous").json["token"]

    revoked = api.send("DELETE", "/api/auth/session", "guest", token=token)

    assert revoked.json == {"revoked": True}
    assert revoked.headers["Set-Cookie"].startswith("notes_session=; ")
    assert revoked.headers["Set-Cookie"].endswith("; Max-Age=0")
    assert api.ctx.sessions.resolve(token) is None


@pytest.mark.parametrize("token", [None, "pylon_unknown", "admin-secret"])
def test_signing_out_without_a_session_is_fine(api: DataApi, token: str | None) -> None:
    assert api.send("DELETE", "/api/auth/session", "anonymous", token=token).json == {"revoked": True}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("url", ["/api/auth/me", "/api/auth/guest"])
def test_a_wrong_method_is_not_found(api: DataApi, method: str, url: str) -> None:
    assert api.send(method, url).code == "NOT_FOUND"
