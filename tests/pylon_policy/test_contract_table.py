"""The published table of expression examples, row by row, with its numbers.

Rows whose result is deliberately not the reference's say so in their point. Row texts are evaluated without the
engine, so without its admin bypass.
"""

from typing import Any

import pytest

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_policy import PolicySyntaxError, parse
from pylon_policy.lowering import Scope, lower
from pylon_policy.predicate import NOTHING, compile_predicate
from pylon_policy.rules import ACTION_ROOTS, ENTITY_ROOTS, Operation

ALICE = AuthContext(user_id="alice")
ED = AuthContext(user_id="ed", roles=("editor",), tenant_id="acme")
R: dict[str, Any] = {
    "authorId": "alice",
    "tenantId": "acme",
    "status": "draft",
    "public": True,
    "flag": 1,
    "zero": 0,
    "count": 5,
    "f": 5.0,
    "empty": "",
    "n": None,
    "author": {"id": "alice"},
    "tags": ["a"],
    "t": "true",
}
NOTE = {"note": "a\nb"}
CAFE = {"name": "café"}

ALLOW, DENY = True, False


def allows(text: str, auth: AuthContext, data: dict[str, Any] | None) -> bool:
    """A text that does not parse denies."""
    try:
        formula = lower(parse(text), Scope(ENTITY_ROOTS[Operation.READ]))
    except PolicySyntaxError:
        return False
    return compile_predicate(formula)(auth, NOTHING if data is None else data)


@pytest.mark.parametrize(
    ("number", "text", "auth", "data", "result", "point"),
    [
        (1, "true", ANONYMOUS, None, ALLOW, "literal"),
        (2, "false", ANONYMOUS, None, DENY, "literal"),
        (3, "", ANONYMOUS, None, DENY, "parse error"),
        (3, "  ", ANONYMOUS, None, DENY, "parse error"),
        (4, "auth.userId", ANONYMOUS, None, DENY, "null is false"),
        (5, "auth.userId", ALICE, None, ALLOW, "non-empty string is true"),
        (6, "auth.userId != null", ANONYMOUS, None, DENY, ""),
        (7, "auth.userId != null", ALICE, None, ALLOW, ""),
        (8, "auth.userId == data.authorId", ALICE, R, ALLOW, "owner"),
        (9, "auth.userId == data.authorId", ED, R, DENY, "not owner"),
        (10, "auth.userId == data.authorId", ANONYMOUS, R, DENY, "null vs string"),
        (11, "auth.userId == data.authorId", ALICE, None, DENY, "string vs null"),
        (12, "auth.userId == data.authorId", ANONYMOUS, None, DENY, "two unresolved paths: the reference allows"),
        (13, "auth.userId == data.missing", ANONYMOUS, R, DENY, "two unresolved paths: the reference allows"),
        (14, "auth.userId != data.authorId", ANONYMOUS, None, DENY, "two unresolved paths"),
        (15, "data.tenantId == auth.tenantId", ED, R, ALLOW, "tenant scope"),
        (16, "data.tenantId == auth.tenantId", ALICE, R, DENY, "no active tenant"),
        (17, "data.tenantId == auth.tenantId", ALICE, None, DENY, "two unresolved paths: the reference allows"),
        (18, "auth.hasRole('editor')", ED, R, ALLOW, ""),
        (19, 'auth.hasRole("viewer")', ED, R, DENY, ""),
        (20, 'auth.hasRole("viewer")', ADMIN, R, ALLOW, "admin has every role"),
        (21, "auth.hasAnyRole('viewer','editor')", ED, R, ALLOW, ""),
        (22, "auth.hasAnyRole()", ED, R, DENY, "arity error"),
        (23, "auth.hasRole('editor',)", ED, R, ALLOW, "trailing comma"),
        (24, "auth.hasRole('a','b')", ED, R, DENY, "arity error"),
        (25, "hasRole('editor')", ED, R, DENY, "unknown function"),
        (26, "auth.hasRole('editor') == true", ED, R, ALLOW, "call on the left"),
        (27, "true == auth.hasRole('editor')", ED, R, DENY, "call on the right"),
        (28, "!auth.isAdmin", ALICE, None, ALLOW, ""),
        (29, "!auth.isAdmin == false", ANONYMOUS, None, DENY, "precedence: (true) == false"),
        (30, "!auth.isAdmin == false", ADMIN, None, ALLOW, "(false) == false"),
        (31, "auth.isAdmin.foo", ADMIN, None, DENY, "extra segment"),
        (32, "auth.isAdmin || (auth.userId != null && data.public == true)", ANONYMOUS, R, DENY, "grouping"),
        (33, "auth.isAdmin || (auth.userId != null && data.public == true)", ALICE, R, ALLOW, "grouping"),
        (34, "true || false && false", ANONYMOUS, None, ALLOW, "&& first"),
        (35, "(true || false) && false", ANONYMOUS, None, DENY, ""),
        (36, 'data.status == "draft"', ALICE, R, ALLOW, ""),
        (36, "data.status=='draft'", ALICE, R, ALLOW, "without spaces"),
        (37, '"draft" == data.status', ALICE, R, ALLOW, "literal on the left"),
        (38, "data.status == draft", ALICE, R, DENY, "unknown root is null"),
        (39, "data.author.id == auth.userId", ALICE, R, ALLOW, "nested object"),
        (40, "data.author == null", ALICE, R, ALLOW, "object reads as null"),
        (41, 'data.tags.0 == "a"', ALICE, R, DENY, "no array indexing"),
        (42, "data.public == true", ALICE, R, ALLOW, "JSON boolean"),
        (43, "data.flag == true", ALICE, R, DENY, "a number is no boolean"),
        (44, 'data.flag == "1"', ALICE, R, ALLOW, "a number's text"),
        (45, "data.zero", ALICE, R, ALLOW, "every number is true"),
        (46, 'data.count == "5"', ALICE, R, ALLOW, ""),
        (47, "data.count == 5", ALICE, R, ALLOW, "number literals: the reference refuses them"),
        (48, "data.count > 3", ALICE, R, ALLOW, "ordering: the reference refuses it"),
        (49, 'data.f == "5"', ALICE, R, DENY, 'its text is "5.0"'),
        (50, "data.t == true", ALICE, R, DENY, "string vs boolean"),
        (51, "data.n == null", ALICE, R, ALLOW, "explicit null test"),
        (52, 'data.missing != "x"', ALICE, R, ALLOW, "missing is null"),
        (53, "data.empty", ALICE, R, DENY, "empty string"),
        (54, "record.authorId == auth.userId", ALICE, R, ALLOW, "the alias: the reference denies"),
        (56, "input.authorId == auth.userId", ALICE, R, DENY, "no input in reads"),
        (57, "auth.userId == null == true", ANONYMOUS, None, DENY, "not chainable"),
        (58, "(auth.userId == null) == true", ANONYMOUS, None, ALLOW, ""),
        (59, "true == (true)", ANONYMOUS, None, DENY, "right side must be an atom"),
        (60, "auth.userId = data.authorId", ALICE, R, DENY, "single ="),
        (61, "auth.userId != null & true", ALICE, R, DENY, "single &"),
        (62, r'data.x == "\q"', ALICE, R, DENY, "unknown escape"),
        (63, r'data.note == "a\nb"', ALICE, NOTE, ALLOW, "escape decoded"),
        (64, 'data.name == "café"', ALICE, CAFE, ALLOW, "UTF-8 kept"),
        (65, "auth.isGuest == null", ANONYMOUS, None, DENY, "exposed as a boolean: the reference has null"),
        (66, "TRUE", ALICE, None, DENY, "keywords are lowercase"),
        (67, "auth.userId == data.authorId extra", ALICE, R, DENY, "leftover tokens"),
        (68, "(" * 200 + "true" + ")" * 200, ANONYMOUS, None, DENY, "depth limit"),
        (69, "(" * 10 + "true" + ")" * 10, ANONYMOUS, None, ALLOW, ""),
    ],
    ids=lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else "",
)
def test_contract_example(
    number: int, text: str, auth: AuthContext, data: dict[str, Any] | None, result: bool, point: str
) -> None:
    assert allows(text, auth, data) is result, point


def test_contract_example_55_reads_an_action_input() -> None:
    predicate = compile_predicate(lower(parse("input.authorId == auth.userId"), Scope(ACTION_ROOTS)))

    assert predicate(ALICE, NOTHING, NOTHING, R)
    assert not predicate(ED, NOTHING, NOTHING, R)


def test_a_result_does_not_depend_on_the_order_of_keys() -> None:
    text = "data.authorId == auth.userId && data.public == true"

    assert allows(text, ALICE, R)
    assert allows(text, ALICE, dict(reversed(R.items())))
