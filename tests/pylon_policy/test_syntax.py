"""Which texts are expressions, how they nest, and where an error points."""

import pytest

from pylon_policy import PolicySyntaxError, parse
from pylon_policy.expression import (
    And,
    Compare,
    Comparison,
    Expression,
    Group,
    In,
    Literal,
    Not,
    Or,
    Path,
    RoleCall,
)
from pylon_policy.lexer import TEXT_CHARS_MAX

A, B, C = Path(("a",)), Path(("b",)), Path(("c",))


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("a || b && c", Or((A, And((B, C))))),
        ("a&&b&&c", And((A, B, C))),
        ("(a || b) && c", And((Group(Or((A, B))), C))),
        ("!a == b", Compare(Comparison.EQ, Not(A), B)),
        ("!!a", Not(Not(A))),
        ("!(a)", Not(Group(A))),
        ("a==b||c", Or((Compare(Comparison.EQ, A, B), C))),
        ("a <= 3", Compare(Comparison.LE, A, Literal(3))),
        ("a<-1", Compare(Comparison.LT, A, Literal(-1))),
        ("a > 0.50", Compare(Comparison.GT, A, Literal(0.5))),
        ("a >= -0", Compare(Comparison.GE, A, Literal(0))),
        ("9007199254740992", Literal(2**53)),
        ("a in ['x', 2, null, true,]", In(A, (Literal("x"), Literal(2), Literal(None), Literal(True)))),
        ("in", Path(("in",))),
        ("in in ['in']", In(Path(("in",)), (Literal("in"),))),
        ("a == in", Compare(Comparison.EQ, A, Path(("in",)))),
        ("in.x && !in", And((Path(("in", "x")), Not(Path(("in",)))))),
        ("trueish", Path(("trueish",))),
        ("true.x", Path(("true", "x"))),
        ("_a1.b..c.", Path(("_a1", "b", "", "c", ""))),
        ("auth.hasRole ( 'x', )", RoleCall(("x",))),
        ("auth.hasAnyRole('a,b', \"c\")", RoleCall(("a,b", "c"))),
        ("auth.hasRole", Path(("auth", "hasRole"))),
        (r"""'\\\"\'\n\r\t\0"'""", Literal('\\"\'\n\r\t\0"')),
        ('"it\'s é\n😀"', Literal("it's é\n😀")),
        (" \t\r\n a \n", A),
    ],
)
def test_a_text_parses_to_its_tree(text: str, expression: Expression) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize(
    ("text", "line", "column", "complaint"),
    [
        ("", 1, 1, "the expression is empty"),
        (" \n ", 2, 2, "the expression is empty"),
        ("a ==", 1, 5, "expected a value, found the end"),
        ("a == b == c", 1, 8, "comparisons do not chain"),
        ("a < b < c", 1, 7, "comparisons do not chain"),
        ("a b", 1, 3, "expected && or || or the end, found b"),
        ("a & b", 1, 3, "write &&"),
        ("a | b", 1, 3, "write ||"),
        ("a = b", 1, 3, "write =="),
        ("a == (b)", 1, 6, "expected a value, found ("),
        ("a == !b", 1, 6, "expected a value, found !"),
        ("true == auth.hasRole('x')", 1, 21, "left of a comparison"),
        ("(a", 1, 3, "expected ) to close the group, found the end"),
        ("a)", 1, 2, "found )"),
        ("a &&\n  || b", 2, 3, "expected a value, found ||"),
        ("a ==\r\n\t@", 2, 2, "unexpected character '@'"),
        ("é", 1, 1, "unexpected character"),
        ("a // b", 1, 3, "unexpected character '/'"),
        ("{}", 1, 1, "unexpected character"),
        (".5", 1, 1, "cannot start with a dot"),
        ("a == 5.", 1, 6, "a number is written"),
        ("a == 05", 1, 6, "a number is written"),
        ("a == 1e5", 1, 6, "a number is written"),
        ("a == 5x", 1, 6, "a number is written"),
        ("a == - 5", 1, 6, "a number is written"),
        ("a == +5", 1, 6, "unexpected character '+'"),
        ("a == 9007199254740993", 1, 6, "must lie between"),
        ("a == -9007199254740992.5", 1, 6, "must lie between"),
        ("a == " + "9" * 9000, 1, 6, "must lie between"),
        ("a - 5", 1, 3, "a number is written"),
        ("a -5", 1, 3, "expected && or ||"),
        ("'abc", 1, 1, "no closing quote"),
        ("'abc\\", 1, 1, "no closing quote"),
        ("a == 'b\\'", 1, 6, "no closing quote"),
        (r"a == 'b\q'", 1, 8, r"unknown escape \q"),
        ("'\ud800'", 1, 1, "half a surrogate pair"),
        ("a in []", 1, 7, "expected a literal, found ]"),
        ("a in [b]", 1, 7, "expected a literal, found b"),
        ("a in ['x'", 1, 10, "expected ] to close the list, found the end"),
        ("a in ['x',,]", 1, 11, "expected a literal, found ,"),
        ("a in 'x'", 1, 6, "expected [ after in"),
        ("a in ['x'] in ['y']", 1, 12, "expected && or ||"),
        ("hasRole('x')", 1, 1, "there is no hasRole()"),
        ("auth.has_role('x')", 1, 1, "there is no auth.has_role()"),
        ("auth.hasRole()", 1, 1, "exactly one role"),
        ("auth.hasRole('a', 'b')", 1, 1, "exactly one role"),
        ("auth.hasAnyRole()", 1, 1, "at least one role"),
        ("auth.hasRole(a)", 1, 14, "expected a role in quotes, found a"),
        ("auth.hasRole(,)", 1, 14, "expected a role in quotes, found ,"),
        ("auth.hasRole('a' 'b')", 1, 18, "expected , between arguments"),
        ("auth.hasRole('a'", 1, 17, "expected , between arguments"),
        ("true('x')", 1, 5, "left of a comparison"),
    ],
)
def test_a_wrong_text_is_refused_at_the_place_to_look_at(
    text: str, line: int, column: int, complaint: str
) -> None:
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)

    assert caught.value.code == "POLICY_SYNTAX_ERROR"
    assert (caught.value.line, caught.value.column) == (line, column)
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 31 + "a" + ")" * 31,
        "!" * 63 + "a",
        "!" * 21 + "(" * 21 + "a" + ")" * 21,
        "(" * 10 + "true" + ")" * 10,
    ],
    ids=["31 parentheses", "63 negations", "both to the limit", "10 parentheses"],
)
def test_nesting_up_to_the_limit_parses(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 32 + "a" + ")" * 32,
        "!" * 64 + "a",
        "!" * 22 + "(" * 21 + "a" + ")" * 21,
        "(" * 8000,
        "!" * 16000 + "a",
    ],
    ids=["32 parentheses", "64 negations", "both beyond the limit", "8000 parentheses", "16000 negations"],
)
def test_nesting_beyond_the_limit_is_refused(text: str) -> None:
    with pytest.raises(PolicySyntaxError, match="nests too deep"):
        parse(text)


@pytest.mark.parametrize("joint", ["||", "&&"])
def test_chains_may_be_as_long_as_the_text(joint: str) -> None:
    count = TEXT_CHARS_MAX // 3

    chain = parse(joint.join(["a"] * count))

    assert isinstance(chain, Or | And)
    assert len(chain.terms) == count


def test_a_text_beyond_the_cap_is_refused() -> None:
    parse("a".ljust(TEXT_CHARS_MAX))

    with pytest.raises(PolicySyntaxError, match="longer than 16384 characters"):
        parse("a".ljust(TEXT_CHARS_MAX + 1))
