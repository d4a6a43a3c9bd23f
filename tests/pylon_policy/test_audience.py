"""Who counts as the same viewer, and when everyone's view may have changed."""

from collections.abc import Sequence
from typing import Any

import pytest

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine

ALICE = AuthContext(user_id="alice")
BOB = AuthContext(user_id="bob", roles=("editor",), tenant_id="acme", session_id="s1")
GUEST = AuthContext(user_id="guest", is_guest=True)


def make_engine(
    read: str = "true",
    *,
    default_allow: bool = False,
    kind: str = "string",
    hide: Sequence[str] = (),
    **policy: str,
) -> PolicyEngine:
    fields: list[dict[str, Any]] = [
        {"name": "ownerId", "type": kind, "optional": True, "unique": False},
        {"name": "title", "type": "string", "optional": True, "unique": False},
    ]
    document = {
        "manifest_version": 1,
        "name": "test",
        "version": "1",
        "entities": [{"name": "Note", "fields": fields, "indexes": []}],
        "routes": [],
        "policies": [{"name": "notes", "entity": "Note", "allowRead": read} | policy],
        "auth": {"user": {"entity": "Note", "hide": hide}},
    }
    return PolicyEngine(AppManifest.model_validate(document), default_allow=default_allow)


@pytest.mark.parametrize(
    ("read", "groups"),
    [
        ("true", [{"anonymous", "alice", "bob", "guest"}]),
        ("data.title == 'x'", [{"anonymous", "alice", "bob", "guest"}]),
        ("auth.userId != null", [{"anonymous"}, {"alice", "bob", "guest"}]),
        ("auth.isGuest || auth.hasRole('editor')", [{"anonymous", "alice"}, {"bob"}, {"guest"}]),
        ("auth.hasAnyRole('editor', 'vip')", [{"anonymous", "alice", "guest"}, {"bob"}]),
        ("data.ownerId == auth.tenantId", [{"anonymous", "alice", "guest"}, {"bob"}]),
        ("data.ownerId == auth.userId", [{"anonymous"}, {"alice"}, {"bob"}, {"guest"}]),
        ("auth.userId == 'alice'", [{"alice"}, {"anonymous", "bob", "guest"}]),
    ],
)
def test_an_audience_is_those_whom_no_read_rule_tells_apart(read: str, groups: list[set[str]]) -> None:
    engine = make_engine(read, allowWrite="auth.userId == data.title")
    identities = {"anonymous": ANONYMOUS, "alice": ALICE, "bob": BOB, "guest": GUEST}

    audiences: dict[Any, set[str]] = {}
    for name, identity in identities.items():
        audiences.setdefault(engine.audience(identity), set()).add(name)

    assert sorted(map(sorted, audiences.values())) == sorted(map(sorted, groups))
    assert engine.audience(ADMIN) not in audiences


def test_the_fingerprint_is_stable() -> None:
    assert make_engine("data.ownerId == auth.userId").fingerprint == (
        make_engine("data.ownerId == auth.userId", name="renamed", allowWrite="false").fingerprint
    )


@pytest.mark.parametrize(
    "changed",
    [
        make_engine("data.ownerId != auth.userId"),
        make_engine("data.ownerId == auth.userId", default_allow=True),
        make_engine("data.ownerId == auth.userId", kind="int"),
        make_engine("", allow="true"),
        make_engine("data.ownerId == auth.userId", hide=["title"]),
    ],
    ids=["expression", "default", "field kind", "no read rule", "a field that is hidden"],
)
def test_the_fingerprint_changes_when_visibility_could(changed: PolicyEngine) -> None:
    assert changed.fingerprint != make_engine("data.ownerId == auth.userId").fingerprint
