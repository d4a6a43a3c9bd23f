"""The heart of the policy language: its three readings agree, on generated rules, identities and rows.

The readings are the compiled Python predicate, the SQL condition on a real database, and a plain recursive
interpreter written here straight from the language's definition, which knows nothing of formulas. A further
database joins by adding one entry to ``DATABASES``.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import apsw
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pylon_auth.context import AuthContext
from pylon_core.datetimes import shortest
from pylon_core.manifest import FieldKind
from pylon_http import Condition
from pylon_policy.expression import (
    And,
    Compare,
    Comparison,
    Expression,
    Group,
    In,
    Literal,
    LiteralValue,
    Not,
    Or,
    Path,
    RoleCall,
)
from pylon_policy.formula import Root
from pylon_policy.lowering import ANYTHING, Scope, lower
from pylon_policy.parser import parse
from pylon_policy.predicate import compile_predicate
from pylon_policy.reading import ReadAccess
from pylon_storage.dialect import Dialect
from pylon_storage.postgres.dialect import PostgresDialect
from pylon_storage.postgres.placeholders import numbered
from pylon_storage.postgres.values import Values
from pylon_storage.sqlite.dialect import SqliteDialect
from tests.support.postgres import fresh_database

# Schemas, rows and identities.

Columns = dict[str, type]
Row = dict[str, Any]

# Small pools, so that values meet; beside them, now and then, anything.
TEXTS = ["", "0", "5", "5.0", "alice"]
ODD_TEXTS = ["-5", "-0.0", "1e+16", "9007199254740992", "true", "null", "it's", 'a"b', "\\", "ü😀", " 5", "05"]
WHOLES = [0, 1, 5, -5]
ODD_WHOLES = [2**53, 2**53 - 1, -(2**53)]
VAST_WHOLES = [2**53 + 1, 2**63 - 1, -(2**63), 2**62 + 1]
DECIMALS = [0.0, -0.0, 1.0, 5.0, 5.5]
ODD_DECIMALS = [1e16, float(2**53), 0.1, -5.0, 1e300, 5e-324, float(2**62), float(2**63)]
NOON = "2026-05-02T12:00:00Z"
INSTANTS = [NOON, "2026-05-02T12:00:00.250Z", "2026-05-02T12:00:00.250001Z", "2026-05-02T11:59:59.999999Z"]
ODD_INSTANTS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.500Z"]
"""As rows hold them: in the one spelling."""
SPELLINGS = [
    "2026-05-02T14:00:00+02:00",
    "2026-05-02t12:00:00.2500z",
    "2026-05-02 12:00:00Z",
    "2026-05-02T12:00:00-00:00",
]
"""As authors may write them."""


def often(usual: Sequence[Any], odd: Sequence[Any], rest: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda die: st.sampled_from(usual if die < 8 else odd) if die < 9 else rest)


texts = often(
    TEXTS, ODD_TEXTS, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
)
wholes = often(WHOLES, [*ODD_WHOLES, *VAST_WHOLES], st.integers(-(2**63), 2**63 - 1))
decimals = often(DECIMALS, ODD_DECIMALS, st.floats(allow_nan=False, allow_infinity=False))
instants = often(INSTANTS, ODD_INSTANTS, st.datetimes().map(lambda moment: spelled(moment)))
VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: texts,
    int: wholes,
    float: decimals,
    bool: st.booleans(),
    datetime: instants,
}

schemas = st.permutations([str, str, int, int, float, bool, datetime, datetime]).map(
    lambda kinds: {f"f{index}": kind for index, kind in enumerate(kinds[:6])}
)
member_texts = st.sampled_from([None, "alice", "alice", "5", "5.0", "", NOON, "nul\0"])
identities = st.builds(
    AuthContext,
    user_id=member_texts,
    tenant_id=member_texts,
    is_guest=st.booleans(),
    is_admin=st.sampled_from([False, False, True]),
    roles=st.sampled_from([(), ("editor",), ("editor", "vip, gold")]),
)


def rows_of(columns: Columns) -> st.SearchStrategy[list[Row]]:
    row = st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in columns.items()})
    return st.lists(row, min_size=8, max_size=8).map(
        lambda rows: [{"id": f"id{index}", **values} for index, values in enumerate(rows)]
    )


# Expressions, as trees of the shapes the grammar can produce, and their text.


def spelled(moment: datetime) -> str:
    """The one spelling of an instant."""
    return shortest(moment.isoformat(timespec="microseconds") + "Z")


numbers = st.sampled_from([*WHOLES, *WHOLES, *ODD_WHOLES, 1.0, 5.0, 5.5, 0.1, -5.0, float(2**53)])
literals = st.builds(Literal, st.one_of(texts, texts, numbers, numbers, st.booleans(), st.none(), instants))
roles = st.sampled_from([("editor",), ("vip, gold",), ("nobody", "editor")])
ROW_PATHS = ["data.f0", "data.f1", "data.f2", "record.f3", "data.f4", "data.f5"]
AUTH_PATHS = ["auth.userId", "auth.userId", "auth.tenant_id", "auth.isGuest", "auth.isAdmin"]
NULL_PATHS = ["data.f0.deep", "data.missing", "existing.f0", "input.f0", "auth.email", "data", "draft", "data.f0."]
READ_PATHS = (*ROW_PATHS * 6, *AUTH_PATHS * 2, *NULL_PATHS, "data.id")
ALL_PATHS = (*READ_PATHS, *["data.f0.deep", "input.f0", "input.f0.deep", "existing.f0", "existing.f1"] * 4)
ORDERS = (Comparison.LT, Comparison.LE, Comparison.GT, Comparison.GE)


@dataclass(frozen=True)
class Trees:
    """Draws trees, the interesting shapes more often."""

    draw: st.DrawFn
    paths: tuple[str, ...]

    def pick(self, weights: dict[str, int]) -> str:
        return self.draw(st.sampled_from([name for name, weight in weights.items() for _ in range(weight)]))

    def disjunction(self, depth: int) -> Expression:
        count = self.draw(st.sampled_from([1, 1, 1, 2, 3]))
        return self.conjunction(depth) if count == 1 else Or(tuple(self.conjunction(depth) for _ in range(count)))

    def conjunction(self, depth: int) -> Expression:
        count = self.draw(st.sampled_from([1, 1, 1, 2, 3]))
        return self.comparison(depth) if count == 1 else And(tuple(self.comparison(depth) for _ in range(count)))

    def comparison(self, depth: int) -> Expression:
        match self.pick({"equality": 6, "order": 3, "in": 2, "bare": 3}):
            case "equality":
                op = self.draw(st.sampled_from([Comparison.EQ, Comparison.NE]))
                return Compare(op, self.unary(depth, of_comparison=True), self.operand())
            case "order":
                return Compare(
                    self.draw(st.sampled_from(ORDERS)), self.unary(depth, of_comparison=True), self.operand()
                )
            case "in":
                items = self.draw(st.lists(literals, min_size=1, max_size=4))
                return In(self.unary(depth, of_comparison=True), tuple(items))
        return self.unary(depth, of_comparison=False)

    def unary(self, depth: int, *, of_comparison: bool) -> Expression:
        weights = {"operand": 8 if of_comparison else 2, "role": 1, "not": 3, "group": 5 if depth else 0}
        match self.pick(weights):
            case "role":
                return RoleCall(self.draw(roles))
            case "not":
                return Not(self.unary(depth, of_comparison=False))
            case "group":
                return Group(self.disjunction(depth - 1))
        return self.operand()

    def operand(self) -> Literal | Path:
        if self.pick({"path": 3, "literal": 2}) == "path":
            return Path(tuple(self.draw(st.sampled_from(self.paths)).split(".")))
        return self.draw(literals)


@st.composite
def expressions(draw: st.DrawFn, paths: tuple[str, ...]) -> Expression:
    return Trees(draw, paths).disjunction(draw(st.integers(0, 3)))


def fitting(expression: Expression, columns: Columns) -> Expression:
    """The expression with an instant in place of every literal that a datetime is compared with."""

    def fit(literal: Literal | Path, other: Expression) -> Literal | Path:
        if isinstance(literal, Path) or literal.value is None or not is_datetime(other, columns):
            return literal
        spellings = [*INSTANTS, *SPELLINGS]
        return Literal(spellings[len(repr(literal.value)) % len(spellings)])

    match expression:
        case Group(inner):
            return Group(fitting(inner, columns))
        case Not(operand):
            return Not(fitting(operand, columns))
        case And(terms):
            return And(tuple(fitting(term, columns) for term in terms))
        case Or(terms):
            return Or(tuple(fitting(term, columns) for term in terms))
        case Compare(op, Literal() as left, right):
            return Compare(op, fit(left, right), right)
        case Compare(op, left, right):
            return Compare(op, fitting(left, columns), fit(right, left))
        case In(left, items):
            fitted = [fit(item, left) for item in items]
            return In(fitting(left, columns), tuple(item for item in fitted if isinstance(item, Literal)))
    return expression


def is_datetime(operand: Expression, columns: Columns) -> bool:
    if not isinstance(operand, Path) or len(operand.segments) != 2:
        return False
    root, name = operand.segments
    return root in ("data", "record") and columns.get(name) is datetime


def to_text(expression: Expression) -> str:
    match expression:
        case Literal(value):
            return literal_text(value)
        case Path(segments):
            return ".".join(segments)
        case RoleCall((role,)):
            return f"auth.hasRole({literal_text(role)})"
        case RoleCall(roles):
            return f"auth.hasAnyRole({', '.join(map(literal_text, roles))})"
        case Group(inner):
            return f"({to_text(inner)})"
        case Not(operand):
            return f"!{to_text(operand)}"
        case And(terms):
            return " && ".join(map(to_text, terms))
        case Or(terms):
            return "||".join(map(to_text, terms))
        case Compare(op, left, right):
            return f"{to_text(left)} {op} {to_text(right)}"
        case In(left, items):
            return f"{to_text(left)} in [{', '.join(map(to_text, items))}]"


def literal_text(value: LiteralValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return format(Decimal(repr(value)), "f")


# The definition, as an interpreter: a condition is True, False or None (unknown).


@dataclass(frozen=True)
class Interpreter:
    """Reads ``roots`` as nested dicts; only ``columns`` of ``data`` and ``existing`` exist when given."""

    auth: AuthContext
    roots: dict[str, Row]
    columns: Columns | None = None

    def condition(self, expression: Expression) -> bool | None:
        match expression:
            case Or(terms):
                return kleene_or([self.condition(term) for term in terms])
            case And(terms):
                return negation(kleene_or([negation(self.condition(term)) for term in terms]))
            case Not(operand):
                return negation(self.condition(operand))
            case Group(inner):
                return self.condition(inner)
            case RoleCall(roles):
                return self.auth.is_admin or any(role in self.auth.roles for role in roles)
            case Compare(Comparison.EQ, left, right):
                return self.equal(left, right)
            case Compare(Comparison.NE, left, right):
                return negation(self.equal(left, right))
            case Compare(op, left, right):
                return self.ordered(op, left, right)
            case In(left, items):
                return kleene_or([self.equal(left, item) for item in items])
            case Literal() | Path():
                value = self.read(expression)
                return value if isinstance(value, bool) else value is not None and value != ""

    def equal(self, left: Expression, right: Literal | Path) -> bool | None:
        if self.compares_an_instant(left, right):
            if not self.may_be_compared(left, right):
                return None
            one, other = self.instant(left), self.instant(right)
            if one is None and other is None:
                return True if isinstance(left, Literal) or isinstance(right, Literal) else None
            return one == other
        if isinstance(left, Literal | Path):
            one, other = self.read(left), self.read(right)
            if one is None and other is None:
                return True if isinstance(left, Literal) or isinstance(right, Literal) else None
            between_rows = is_row_path(left) and is_row_path(right)
            if between_rows and is_number(one) and is_number(other) and type(one) is not type(other):
                return float(one) == float(other)
            return values_equal(one, other, text_of_number_counts=not between_rows)
        known = self.condition(left)
        if known is None:
            return None
        value = self.read(right)
        return isinstance(value, bool) and value == known

    def ordered(self, op: Comparison, left: Expression, right: Literal | Path) -> bool | None:
        if not isinstance(left, Literal | Path):
            return None
        one: Any
        other: Any
        if self.compares_an_instant(left, right):
            if not self.may_be_compared(left, right):
                return None
            one, other = self.instant(left), self.instant(right)
            if one is None or other is None:
                return None
        else:
            one, other = self.read(left), self.read(right)
            if not is_number(one) or not is_number(other):
                return None
            if is_row_path(left) and is_row_path(right) and type(one) is not type(other):
                one, other = float(one), float(other)
        return bool({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[op])

    def read(self, operand: Literal | Path) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        root, *rest = operand.segments
        if root == "auth":
            members = {
                "userId": self.auth.user_id,
                "tenant_id": self.auth.tenant_id,
                "isGuest": self.auth.is_guest,
                "isAdmin": self.auth.is_admin,
            }
            return members.get(rest[0]) if len(rest) == 1 else None
        declared = self.columns is None or root == "input" or (len(rest) == 1 and rest[0] in self.columns)
        value: Any = self.roots.get("data" if root == "record" else root) if declared and rest else None
        for segment in rest:
            value = value.get(segment) if isinstance(value, dict) and segment else None
        return None if isinstance(value, dict | list) else value

    def compares_an_instant(self, *operands: Expression) -> bool:
        return any(is_datetime(operand, self.columns or {}) for operand in operands)

    def may_be_compared(self, *operands: Expression) -> bool:
        """Datetimes, literals and what is always null."""
        return all(
            isinstance(operand, Literal)
            or is_datetime(operand, self.columns or {})
            or (isinstance(operand, Path) and self.is_always_null(operand))
            for operand in operands
        )

    def is_always_null(self, path: Path) -> bool:
        root, *rest = path.segments
        if root == "auth":
            return rest not in (["userId"], ["tenant_id"], ["isGuest"], ["isAdmin"])
        return root not in ("data", "record") or len(rest) != 1 or rest[0] not in (self.columns or {})

    def instant(self, operand: Expression) -> datetime | None:
        value = self.read(operand) if isinstance(operand, Literal | Path) else None
        return datetime.fromisoformat(value.upper()).astimezone(UTC) if isinstance(value, str) else None


def negation(condition: bool | None) -> bool | None:
    return None if condition is None else not condition


def kleene_or(conditions: Sequence[bool | None]) -> bool | None:
    if any(condition is True for condition in conditions):
        return True
    return None if any(condition is None for condition in conditions) else False


def is_row_path(operand: Literal | Path) -> bool:
    return isinstance(operand, Path) and operand.segments[0] in ("data", "record", "existing", "input")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def values_equal(one: Any, other: Any, *, text_of_number_counts: bool) -> bool:
    if is_number(one) and is_number(other):
        return bool(one == other)
    if is_number(one) and isinstance(other, str):
        return text_of_number_counts and ("0.0" if one == 0 and isinstance(one, float) else repr(one)) == other
    if is_number(other) and isinstance(one, str):
        return values_equal(other, one, text_of_number_counts=text_of_number_counts)
    return type(one) is type(other) and bool(one == other)


# The databases.


Select = Callable[[Condition | None], set[str]]
"""The ids of the rows that a condition lets through."""


class Database(Protocol):
    def fill(self, columns: Columns, rows: Sequence[Row]) -> Select:
        """Put the rows into a fresh table."""

    def close(self) -> None: ...


FIELD_KINDS = {
    str: FieldKind.STRING,
    int: FieldKind.INT,
    float: FieldKind.FLOAT,
    bool: FieldKind.BOOL,
    datetime: FieldKind.DATETIME,
}


def definitions(columns: Columns, dialect: Dialect) -> str:
    return ", ".join(f'"{name}" {dialect.column_types[FIELD_KINDS[kind]]}' for name, kind in columns.items())


def encoded(row: Row, columns: Columns, dialect: Dialect) -> tuple[Any, ...]:
    """A row as the store writes it."""
    converters = [dialect.to_column.get(FIELD_KINDS[kind]) for kind in columns.values()]
    return tuple(
        value if value is None or convert is None else convert(value)
        for value, convert in zip((row[name] for name in columns), converters, strict=True)
    )


class Sqlite:
    def __init__(self) -> None:
        self._connection = apsw.Connection(":memory:")
        self._dialect = SqliteDialect()

    def fill(self, columns: Columns, rows: Sequence[Row]) -> Select:
        declared = definitions(columns, self._dialect)
        self._connection.execute(f'DROP TABLE IF EXISTS "the ""rows"""; CREATE TABLE "the ""rows""" ({declared})')
        self._connection.executemany(
            f'INSERT INTO "the ""rows""" VALUES ({", ".join("?" * len(columns))})',
            [encoded(row, columns, self._dialect) for row in rows],
        )
        return self._select

    def _select(self, condition: Condition | None) -> set[str]:
        where, params = ("1 = 1", ()) if condition is None else (condition.sql, condition.params)
        found = self._connection.execute(f'SELECT "id" FROM "the ""rows""" WHERE {where}', params)
        return {row_id for (row_id,) in found}

    def close(self) -> None:
        self._connection.close()


class Postgres:
    def __init__(self) -> None:
        self._connection = psycopg.connect(
            fresh_database(),
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            context=Values(),
            prepare_threshold=None,  # the table is another one each time
        )
        self._dialect = PostgresDialect()

    def fill(self, columns: Columns, rows: Sequence[Row]) -> Select:
        insert = numbered(f'INSERT INTO "the ""rows""" VALUES ({", ".join("?" * len(columns))})')
        self._connection.execute('DROP TABLE IF EXISTS "the ""rows"""')
        self._connection.execute(f'CREATE TABLE "the ""rows""" ({definitions(columns, self._dialect)})')
        for row in rows:
            self._connection.execute(insert, encoded(row, columns, self._dialect))
        return self._select

    def close(self) -> None:
        self._connection.close()

    def _select(self, condition: Condition | None) -> set[str]:
        where, params = ("1 = 1", ()) if condition is None else (condition.sql, condition.params)
        found = self._connection.execute(numbered(f'SELECT "id" FROM "the ""rows""" WHERE {where}'), params)
        return {row_id for (row_id,) in found}


DATABASES: dict[str, Callable[[], Database]] = {"sqlite": Sqlite, "postgres": Postgres}


@pytest.fixture(scope="module", params=list(DATABASES))
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    made = DATABASES[request.param]()
    yield made
    made.close()


# The properties.


@dataclass(frozen=True)
class Case:
    columns: Columns
    rows: list[Row]
    auths: list[AuthContext]
    rules: list[Expression]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    columns: Columns = {"id": str, **draw(schemas)}
    rows = draw(rows_of({name: kind for name, kind in columns.items() if name != "id"}))
    rules = draw(st.lists(expressions(READ_PATHS), min_size=3, max_size=3))
    fitted = [fitting(rule, columns) for rule in rules]
    return Case(columns, rows, draw(st.lists(identities, min_size=2, max_size=2)), fitted)


def assert_the_readings_agree(database: Database, case: Case) -> None:
    scope = Scope(frozenset({Root.DATA}), case.columns)
    select = database.fill(case.columns, case.rows)
    selections: dict[str, set[str]] = {}  # by what is asked: most conditions are the same for every identity
    for rule in case.rules:
        formula = lower(parse(to_text(rule)), scope)
        predicate = compile_predicate(formula)
        access = ReadAccess(formula, case.columns)

        for auth in case.auths:
            condition = access.condition(auth)
            if (asked := repr(condition)) not in selections:
                selections[asked] = select(condition)
            selected = selections[asked]

            allowed = {row["id"] for row in case.rows if predicate(auth, row)}
            defined = {
                row["id"]
                for row in case.rows
                if Interpreter(auth, {"data": row}, case.columns).condition(rule) is True
            }
            assert selected == allowed == defined, to_text(rule)
            assert not (access.never(auth) and selected)


@pytest.mark.parametrize(
    ("database", "examples"),
    [
        ("sqlite", 120),
        ("postgres", 60),
        pytest.param("sqlite", 10_000, marks=pytest.mark.soak),
        pytest.param("postgres", 2_000, marks=pytest.mark.soak),
    ],
    indirect=["database"],
)
def test_the_sql_condition_selects_exactly_the_rows_the_predicate_allows(
    database: Database, examples: int
) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(case=cases())
    def agree(case: Case) -> None:
        assert_the_readings_agree(database, case)

    agree()


KINDS: Columns = {
    "id": str,
    "s": str,
    "t": str,
    "n": int,
    "m": int,
    "f": float,
    "b": bool,
    "c": bool,
    "at": datetime,
    "until": datetime,
}
OPERANDS = [
    *(f"data.{name}" for name in KINDS),
    "data.gone",
    "auth.userId",
    "auth.tenant_id",
    "auth.isGuest",
    "gone",
]
LITERALS = [
    "null",
    "true",
    "false",
    "''",
    "'5'",
    "'5.0'",
    "'-0.0'",
    "'alice'",
    "0",
    "5",
    "5.0",
    "5.5",
    "-0.0",
    f"'{NOON}'",
]
LISTS = ["[null]", "['5', true]", "['alice', '', 5.5]", "[null, 5, '5.0', 'x']", "[0, false, '05']"]


def rules_about(left: str) -> list[str]:
    """Every comparison of one operand with every other, and what else can be said of it, both ways around."""
    said = [left, f"({left})", *(f"{left} in {items}" for items in LISTS)]
    for right in (*OPERANDS, *LITERALS):
        said += [f"{left} {op} {right}" for op in Comparison]
        said += [f"({left} == 'alice') == {right}", f"({left} < 5) != {right}"]
    return [*said, *(f"!({text})" for text in said)]


def expression(text: str) -> Expression:
    return fitting(parse(text), KINDS)


def rows_meeting() -> list[Row]:
    """Rows in which all the small values of two columns meet, and nulls meet nulls."""
    pools: dict[type, list[Any]] = {
        str: [None, *TEXTS],
        int: [None, *WHOLES],
        float: [None, *DECIMALS],
        bool: [None, True, False],
        datetime: [None, *INSTANTS],
    }
    chance = random.Random(5)
    return [
        {"id": f"id{index}", **{name: chance.choice(pools[kind]) for name, kind in KINDS.items() if name != "id"}}
        for index in range(24)
    ]


@pytest.mark.parametrize("left", [*OPERANDS, *LITERALS])
def test_every_comparison_of_two_operands_agrees(database: Database, left: str) -> None:
    rules = [expression(text) for text in rules_about(left)]
    auths = [
        AuthContext(user_id=None),
        AuthContext(user_id="alice", tenant_id="5", is_guest=True),
        AuthContext(user_id="5.0", tenant_id=""),
    ]

    assert_the_readings_agree(database, Case(KINDS, rows_meeting(), auths, rules))


json_values = st.recursive(
    st.none() | st.booleans() | texts | wholes | decimals,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["f0", "deep"]), inner, max_size=2)
    ),
    max_leaves=4,
)
payloads = st.dictionaries(st.sampled_from(["f0", "f1", "f2", "id"]), json_values, max_size=4)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rule=expressions(ALL_PATHS),
    auth=identities,
    data=payloads,
    existing=payloads,
    payload=payloads,
)
def test_the_predicate_means_what_the_definition_says_even_for_rows_of_any_shape(
    rule: Expression, auth: AuthContext, data: Row, existing: Row, payload: Row
) -> None:
    predicate = compile_predicate(lower(parse(to_text(rule)), ANYTHING))

    allowed = predicate(auth, data, existing, payload)

    definition = Interpreter(auth, {"data": data, "existing": existing, "input": payload})
    assert allowed is (definition.condition(rule) is True), to_text(rule)


@settings(max_examples=100, deadline=None)
@given(rule=expressions(READ_PATHS))
@example(rule=Compare(Comparison.EQ, Not(Group(Or((Literal(""), Literal(-5))))), Path(("data", ""))))
def test_a_printed_expression_parses_back_to_itself(rule: Expression) -> None:
    assert parse(to_text(rule)) == rule
