"""The SQL text itself: plain enough to use an index, folded for the identity, safe in its names and depth."""

from typing import Any

import apsw
import pytest

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_http import Condition
from pylon_policy import parse
from pylon_policy.formula import IsNull, Root, RowRef
from pylon_policy.lexer import TEXT_CHARS_MAX
from pylon_policy.lowering import Scope, lower
from pylon_policy.parser import NESTING_MAX
from pylon_policy.reading import TEMPLATES_MAX, ReadAccess
from pylon_policy.sql import render
from pylon_policy.values import Columns

ALICE = AuthContext(user_id="alice", tenant_id="acme", roles=("editor",))
COLUMNS: Columns = {
    "id": str,
    "ownerId": str,
    "title": str,
    "count": int,
    "score": float,
    "public": bool,
    "hidden": bool,
}
NEVER = Condition("1 = 0")


def access(text: str) -> ReadAccess:
    return ReadAccess(lower(parse(text), Scope(frozenset({Root.DATA}), COLUMNS)), COLUMNS)


@pytest.mark.parametrize(
    ("text", "sql", "params"),
    [
        ("data.ownerId == auth.userId", '"ownerId" = ?', ("alice",)),
        ("auth.userId == record.ownerId", '"ownerId" = ?', ("alice",)),
        ("data.ownerId != auth.userId", '"ownerId" IS DISTINCT FROM ?', ("alice",)),
        ("!(data.ownerId == auth.userId)", '"ownerId" IS DISTINCT FROM ?', ("alice",)),
        ("data.ownerId == data.title", '"ownerId" = "title"', ()),
        ("data.ownerId != data.title", '"ownerId" IS DISTINCT FROM "title"', ()),
        ("data.title == null", '"title" IS NULL', ()),
        ("data.title", "\"title\" <> ''", ()),
        ("!data.title", '("title" IS NULL OR "title" = \'\')', ()),
        ("data.public", '"public" = ?', (True,)),
        ("!data.public", '"public" IS DISTINCT FROM ?', (True,)),
        ("data.count", '"count" IS NOT NULL', ()),
        ("data.count == 5.0", '"count" = ?', (5,)),
        ("data.count == '5'", '"count" = ?', (5,)),
        ("data.score == 5", '"score" = ?', (5.0,)),
        ("data.count < 5.5", '"count" < ?', (5.5,)),
        ("5 < data.count", '"count" > ?', (5,)),
        ("!(data.score >= 1)", '"score" < ?', (1.0,)),
        ("data.count <= data.score", 'CAST("count" AS DOUBLE PRECISION) <= "score"', ()),
        ("data.title in ['b', 'a', 5]", '"title" IN (?, ?, ?)', ("5", "a", "b")),
        ("!(data.title in ['a', 'b'])", '("title" IS NULL OR "title" NOT IN (?, ?))', ("a", "b")),
        ("data.title in ['a', null]", '"title" = ? OR "title" IS NULL', ("a",)),
        (
            "data.public == true && (data.ownerId == auth.userId || data.title == 'x')",
            '"public" = ? AND ("ownerId" = ? OR "title" = ?)',
            (True, "alice", "x"),
        ),
        (
            "(data.public == true) == data.hidden",
            '("public" = ? AND "hidden" = ?) OR ("public" IS DISTINCT FROM ? AND "hidden" = ?)',
            (True, True, True, False),
        ),
    ],
)
def test_a_rule_reads_as_plain_sql(text: str, sql: str, params: tuple[Any, ...]) -> None:
    condition = access(text).condition(ALICE)

    assert condition == Condition(sql, params)
    assert [type(param) for param in condition.params] == [type(param) for param in params]


@pytest.mark.parametrize(
    ("text", "auth", "condition"),
    [
        ("auth.userId != null", ALICE, None),
        ("auth.userId != null", ANONYMOUS, NEVER),
        ("auth.hasRole('editor') || data.public == true", ALICE, None),
        ("auth.hasRole('editor') || data.public == true", ANONYMOUS, Condition('"public" = ?', (True,))),
        ("auth.userId == 'alice' && data.public", ALICE, Condition('"public" = ?', (True,))),
        ("data.ownerId == auth.userId", ANONYMOUS, NEVER),
        ("data.ownerId != auth.userId", ANONYMOUS, Condition('"ownerId" IS NOT NULL')),
        ("data.ownerId == auth.isGuest", ALICE, NEVER),
        ("data.count == auth.userId", ALICE, NEVER),
        ("data.count == auth.userId", AuthContext(user_id="7"), Condition('"count" = ?', (7,))),
        ("data.public == auth.isGuest", ALICE, Condition('"public" = ?', (False,))),
        ("data.nope == auth.userId || data.ownerId.x == 'a' || input.x || existing.title", ALICE, NEVER),
        ("data.count == data.title", ALICE, NEVER),
        ("data.count == 'five'", ALICE, NEVER),
        ("data.title < 5", ALICE, NEVER),
        # texts that no column can hold and no database takes as a parameter
        ("data.title == '\\0'", ALICE, NEVER),
        ("data.title != 'a\\0'", ALICE, None),
        ("data.title in ['\\0', 'a']", ALICE, Condition('"title" = ?', ("a",))),
        ("data.ownerId == auth.userId", AuthContext(user_id="nul\0"), NEVER),
        ("data.ownerId != auth.userId", AuthContext(user_id="nul\0"), None),
        ("data.count != auth.userId", AuthContext(user_id="nul\0"), None),
        ("data.ownerId == auth.userId", AuthContext(user_id="half \ud800"), NEVER),
        ("true", ALICE, None),
    ],
)
def test_what_the_identity_or_the_columns_settle_leaves_no_trace(
    text: str, auth: AuthContext, condition: Condition | None
) -> None:
    rule = access(text)

    assert rule.condition(auth) == condition
    assert rule.never(auth) is (condition == NEVER)


def test_an_owner_rule_can_use_an_index() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute('CREATE TABLE t ("ownerId" TEXT, "public" INTEGER); CREATE INDEX by_owner ON t ("ownerId")')
    condition = access("data.ownerId == auth.userId").condition(ALICE)
    assert condition is not None

    plan = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT * FROM t WHERE {condition.sql}", condition.params
    ).fetchall()

    assert "SEARCH t USING INDEX by_owner" in str(plan[0][3])


def test_a_column_name_cannot_leave_its_quotes() -> None:
    name = 'a" OR 1 = 1 --'

    template = render(IsNull(RowRef(Root.DATA, (name,)), wanted=True), {name: str})

    assert template.sql == '"a"" OR 1 = 1 --" IS NULL'


@pytest.mark.parametrize(
    "text",
    [
        "||".join(["data.count<1"] * (TEXT_CHARS_MAX // 14)),
        "&&".join(["!data.public"] * (TEXT_CHARS_MAX // 14)),
        "data.count in [" + ",".join(map(str, range(TEXT_CHARS_MAX // 6))) + "]",
        "(data.count == 1 && data.count == 2 || " * ((NESTING_MAX - 2) // 2)
        + "data.public"
        + " && data.title)" * ((NESTING_MAX - 2) // 2),
    ],
    ids=["long or", "long and", "long list", "deep"],
)
def test_the_largest_rules_are_within_what_a_database_takes(text: str) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        'CREATE TABLE t ("count" INTEGER, "public" INTEGER, "title" TEXT); INSERT INTO t VALUES (1, 1, 1)'
    )
    rule = access(text)
    condition = rule.condition(ALICE)
    assert condition is not None

    connection.execute(f"SELECT * FROM t WHERE {condition.sql}", condition.params).fetchall()


def test_rendered_texts_are_kept_per_shape_of_identity_and_within_a_bound() -> None:
    rule = access("data.ownerId == auth.userId || data.count == auth.tenantId")

    texts = {
        rule.condition(AuthContext(user_id=f"user{index}", tenant_id=str(index)))
        for index in range(3 * TEMPLATES_MAX)
    }

    assert len({condition.sql for condition in texts if condition is not None}) == 1
    assert rule._template.cache_info().currsize == TEMPLATES_MAX
