"""Which rule decides an operation, and what a denial gives away (nothing)."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine

ALICE = AuthContext(user_id="alice", roles=("editor",), tenant_id="acme")
BOB = AuthContext(user_id="bob")
OWNER = "auth.userId == data.ownerId"
MINE = {"id": "1", "ownerId": "alice", "done": False, "rank": 3}
THEIRS = MINE | {"ownerId": "bob"}
NOBODYS = MINE | {"ownerId": None}


FIELDS = {"ownerId": "string", "done": "bool", "rank": "int"}


def make_engine(
    *policies: dict[str, str], default_allow: bool = False, fields: dict[str, str] = FIELDS
) -> PolicyEngine:
    """Entities Note and Other, with the same fields; action publish. Policies are about Note unless they say."""
    declared = [{"name": name, "type": kind, "optional": True, "unique": False} for name, kind in fields.items()]
    document = {
        "manifest_version": 1,
        "name": "test",
        "version": "1",
        "entities": [{"name": name, "fields": declared, "indexes": []} for name in ("Note", "Other")],
        "routes": [],
        "actions": [{"name": "publish"}],
        "policies": [
            {"name": f"policy{index}"} | ({} if "action" in policy else {"entity": "Note"}) | policy
            for index, policy in enumerate(policies)
        ],
    }
    return PolicyEngine(AppManifest.model_validate(document), default_allow=default_allow)


def allowed(check: Callable[..., None], *arguments: Any) -> bool:
    try:
        check(*arguments)
    except PylonError as error:
        if error.code != "POLICY_DENIED":
            raise
        return False
    return True


def operations(engine: PolicyEngine, auth: AuthContext, row: dict[str, Any]) -> str:
    """Which of read, insert, update, delete are allowed, as ``"r-u-"``."""
    answers = {
        "r": engine.may_read("Note", auth, row),
        "i": allowed(engine.check_insert, "Note", auth, row, row),
        "u": allowed(engine.check_update, "Note", auth, row, row, {}),
        "d": allowed(engine.check_delete, "Note", auth, row),
    }
    return "".join(letter if answer else "-" for letter, answer in answers.items())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"allow": "false"}, "----"),
        ({"allow": "true"}, "riud"),
        ({"allowRead": "false"}, "-iud"),
        ({"allowRead": "true", "allow": "false"}, "r---"),
        ({"allowRead": "false", "allow": "true"}, "-iud"),
        ({"allowInsert": "true", "allow": "false"}, "-i--"),
        ({"allowWrite": "false"}, "r---"),
        ({"allowWrite": "true", "allow": "false"}, "-iud"),
        ({"allowWrite": "true", "allowUpdate": "false"}, "ri-d"),
        ({"allowWrite": "false", "allowDelete": "true"}, "r--d"),
        ({"allowWrite": "false", "allowInsert": "", "allow": ""}, "r---"),
        ({"allowInsert": "false", "allowUpdate": "false", "allowDelete": "false"}, "r---"),
    ],
    ids=str,
)
def test_the_most_specific_expression_decides_an_operation(policy: dict[str, str], expected: str) -> None:
    assert operations(make_engine(policy), ALICE, MINE) == expected


@pytest.mark.parametrize("default_allow", [True, False])
def test_an_operation_that_no_policy_of_the_entity_covers_is_open(default_allow: bool) -> None:
    engine = make_engine({"allowRead": "false"}, default_allow=default_allow)

    assert operations(engine, ALICE, MINE) == "-iud"


@pytest.mark.parametrize("default_allow", [True, False])
def test_the_default_decides_for_an_entity_that_no_policy_names(default_allow: bool) -> None:
    engine = make_engine({"entity": "Other", "allow": "false"}, default_allow=default_allow)

    assert operations(engine, ALICE, MINE) == ("riud" if default_allow else "----")
    assert engine.read_condition("Note", ADMIN) is None
    assert engine.never_reads("Note", ALICE) is not default_allow
    assert engine.uncovered_entities == ("Note",)


def test_every_policy_of_an_entity_must_allow() -> None:
    engine = make_engine(
        {"allow": OWNER}, {"allowRead": "data.done == false"}, {"entity": "Other", "allow": "false"}
    )

    assert engine.may_read("Note", ALICE, MINE)
    assert not engine.may_read("Note", ALICE, MINE | {"done": True})
    assert not engine.may_read("Note", BOB, MINE)
    assert allowed(engine.check_delete, "Note", ALICE, MINE | {"done": True})


@pytest.mark.parametrize("text", ["false", "data.ownerId = ", "  ", "nonsense(", OWNER])
def test_the_admin_passes_whatever_the_rules_say(text: str) -> None:
    engine = make_engine({"allow": text}, {"action": "publish", "allow": text})

    assert operations(engine, ADMIN, THEIRS) == "riud"
    assert engine.reader("Note", ADMIN)(THEIRS)
    assert engine.read_condition("Note", ADMIN) is None
    assert not engine.never_reads("Note", ADMIN)
    assert allowed(engine.check_action, "publish", ADMIN, None)


@pytest.mark.parametrize("text", ["data.ownerId = ", "  ", "nonsense(", "(" * 40 + "true" + ")" * 40])
def test_an_unparseable_rule_denies_everyone_else(text: str) -> None:
    engine = make_engine({"allow": text}, default_allow=True)

    assert operations(engine, ALICE, MINE) == "----"
    assert engine.never_reads("Note", ALICE)


def test_a_name_that_is_no_entity_is_closed_to_all_but_the_admin() -> None:
    engine = make_engine({"entity": "Ghost", "allow": "true"}, default_allow=True)

    assert not engine.may_read("Ghost", ALICE, MINE)
    assert not allowed(engine.check_insert, "Ghost", ALICE, MINE, MINE)


@pytest.mark.parametrize(
    ("auth", "row", "expected"),
    [
        (ALICE, MINE, "riud"),
        (BOB, MINE, "----"),
        (ANONYMOUS, MINE, "----"),
        (ANONYMOUS, NOBODYS, "----"),
        (ANONYMOUS, {}, "----"),
        (ALICE, {}, "----"),
    ],
    ids=["owner", "other", "anonymous", "anonymous on an unowned row", "anonymous on no row", "owner on no row"],
)
def test_an_owner_rule_lets_the_owner_in_and_nobody_else(
    auth: AuthContext, row: dict[str, Any], expected: str
) -> None:
    engine = make_engine({"allow": OWNER})

    assert operations(engine, auth, row) == expected
    assert engine.reader("Note", auth)(row) is ("r" in expected)


def test_a_tenant_rule_needs_an_active_tenant() -> None:
    engine = make_engine({"allow": "data.ownerId == auth.tenantId"})

    assert operations(engine, ALICE, MINE | {"ownerId": "acme"}) == "riud"
    assert operations(engine, BOB, NOBODYS) == "----"


class TestUpdate:
    def test_an_owner_cannot_hand_a_row_over(self) -> None:
        engine = make_engine({"allowUpdate": OWNER})

        assert not allowed(engine.check_update, "Note", ALICE, MINE, THEIRS, {"ownerId": "bob"})

    def test_nobody_can_take_a_row_by_naming_themselves(self) -> None:
        engine = make_engine({"allowUpdate": OWNER})

        assert not allowed(engine.check_update, "Note", ALICE, THEIRS, MINE, {"ownerId": "alice"})

    def test_a_rule_on_the_existing_row_lets_its_owner_hand_it_over(self) -> None:
        engine = make_engine({"allowUpdate": "auth.userId == existing.ownerId"})

        assert allowed(engine.check_update, "Note", ALICE, MINE, THEIRS, {"ownerId": "bob"})
        assert not allowed(engine.check_update, "Note", BOB, MINE, THEIRS, {"ownerId": "bob"})

    def test_old_and_new_row_can_be_compared(self) -> None:
        engine = make_engine({"allowUpdate": "data.rank >= existing.rank"})

        assert allowed(engine.check_update, "Note", BOB, MINE, MINE | {"rank": 4}, {"rank": 4})
        assert not allowed(engine.check_update, "Note", BOB, MINE, MINE | {"rank": 2}, {"rank": 2})

    def test_the_patch_can_be_restricted(self) -> None:
        engine = make_engine({"allowUpdate": f"{OWNER} && input.rank == null"})

        assert allowed(engine.check_update, "Note", ALICE, MINE, MINE | {"done": True}, {"done": True})
        assert not allowed(engine.check_update, "Note", ALICE, MINE, MINE, {"rank": 3})


def test_existing_is_there_for_updates_and_deletes_only() -> None:
    engine = make_engine({"allow": "existing.ownerId == auth.userId"})

    assert operations(engine, ALICE, MINE) == "--ud"


def test_input_is_the_payload_of_a_write() -> None:
    engine = make_engine({"allow": "input.token.value == 'x'"})

    assert allowed(engine.check_insert, "Note", ALICE, MINE, {"token": {"value": "x"}})
    assert not allowed(engine.check_insert, "Note", ALICE, MINE, {"token": "x"})
    assert not engine.may_read("Note", ALICE, MINE | {"token": {"value": "x"}})


def test_a_member_that_is_no_declared_field_reads_as_null() -> None:
    engine = make_engine({"allow": "data.superuser == true"})

    assert operations(engine, ALICE, MINE | {"superuser": True}) == "----"


class TestActions:
    def test_an_action_without_a_policy_is_open(self) -> None:
        assert allowed(make_engine().check_action, "publish", ANONYMOUS, None)

    def test_an_action_policy_without_allow_is_closed(self) -> None:
        engine = make_engine({"action": "publish", "allowRead": "true"})

        assert not allowed(engine.check_action, "publish", ALICE, {})

    def test_the_input_decides(self) -> None:
        engine = make_engine({"action": "publish", "allow": "input.authorId == auth.userId"})

        assert allowed(engine.check_action, "publish", ALICE, {"authorId": "alice"})
        assert not allowed(engine.check_action, "publish", BOB, {"authorId": "alice"})
        assert not allowed(engine.check_action, "publish", ANONYMOUS, {"authorId": "alice"})
        assert not allowed(engine.check_action, "publish", ANONYMOUS, {})

    @pytest.mark.parametrize("payload", [None, [], "alice", 5, [{"authorId": "alice"}]], ids=str)
    def test_an_input_that_is_no_object_has_no_members(self, payload: object) -> None:
        engine = make_engine({"action": "publish", "allow": "input.authorId == auth.userId"})

        assert not allowed(engine.check_action, "publish", ALICE, payload)

    def test_every_policy_of_an_action_must_allow(self) -> None:
        engine = make_engine(
            {"action": "publish", "allow": "auth.userId != null"},
            {"action": "publish", "allow": "auth.hasRole('editor')"},
        )

        assert allowed(engine.check_action, "publish", ALICE, {})
        assert not allowed(engine.check_action, "publish", BOB, {})

    def test_one_policy_may_name_an_entity_and_an_action(self) -> None:
        engine = make_engine({"entity": "Note", "action": "publish", "allow": "auth.hasRole('editor')"})

        assert operations(engine, BOB, MINE) == "----"
        assert not allowed(engine.check_action, "publish", BOB, {})
        assert allowed(engine.check_action, "publish", ALICE, {})


def test_a_denial_names_its_policy_in_the_log_and_nowhere_else() -> None:
    engine = make_engine({"name": "everyone", "allow": "true"}, {"name": "secretName", "allow": "data.rank == 77"})

    with capture_logs() as logs, pytest.raises(PylonError) as caught:
        engine.check_delete("Note", ALICE, MINE)

    assert (caught.value.code, caught.value.status) == ("POLICY_DENIED", 403)
    said = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
    assert "secretName" not in said
    assert "77" not in said
    assert "Note" not in said
    assert logs == [
        {
            "event": "policy_denied",
            "policy": "secretName",
            "target": "Note",
            "operation": "delete",
            "count": 1,
            "log_level": "info",
        }
    ]


def test_the_condition_selects_what_the_reader_allows() -> None:
    engine = make_engine({"allowRead": f"data.done == true || {OWNER}"})

    condition = engine.read_condition("Note", ALICE)

    assert condition is not None
    assert condition.sql == '"done" = ? OR "ownerId" = ?'
    assert condition.params == (True, "alice")
    assert not engine.never_reads("Note", ALICE)


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("string", "\"field\" <> ''"),
        ("richtext", "\"field\" <> ''"),
        ("datetime", '"field" IS NOT NULL'),
        ("id(Other)", "\"field\" <> ''"),
        ("int", '"field" IS NOT NULL'),
        ("float", '"field" IS NOT NULL'),
        ("bool", '"field" = ?'),
    ],
)
def test_every_kind_of_field_has_its_sql(kind: str, sql: str) -> None:
    condition = make_engine({"allowRead": "data.field"}, fields={"field": kind}).read_condition("Note", ALICE)

    assert condition is not None
    assert condition.sql == sql


@pytest.mark.parametrize(
    ("text", "auth", "never"),
    [
        (OWNER, ANONYMOUS, True),
        (OWNER, ALICE, False),
        ("auth.userId != null", ANONYMOUS, True),
        ("auth.userId != null", ALICE, False),
        ("auth.hasRole('vip') && data.done == true", ALICE, True),
        ("false", ALICE, True),
    ],
)
def test_an_identity_that_can_read_nothing_is_known_without_a_query(
    text: str, auth: AuthContext, never: bool
) -> None:
    assert make_engine({"allowRead": text}).never_reads("Note", auth) is never


@pytest.mark.parametrize(
    ("policies", "fields"),
    [
        ([{"allowRead": OWNER}], {"ownerId"}),
        (
            [{"allowRead": "record.done == true && data.id != 'x'"}, {"allow": "data.rank > 1"}],
            {"done", "id", "rank"},
        ),
        ([{"allowRead": "auth.userId != null", "allowWrite": OWNER}], set()),
        ([{"allowRead": "data.nope == 1 || data.ownerId.x == 1 || data.rank == true || input.x == 1"}], {"rank"}),
        ([], set()),
    ],
)
def test_the_fields_that_reading_depends_on_are_known(policies: list[dict[str, str]], fields: set[str]) -> None:
    assert make_engine(*policies).read_fields("Note") == fields
