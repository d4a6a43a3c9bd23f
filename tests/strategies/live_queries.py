"""Rows, filters and orders of the entity ``Thing``, which has a field of every kind, required and optional ones.

The values come from small pools with all that is awkward in them, so that filters meet rows.
"""

from typing import Any

from hypothesis import strategies as st

from tests.strategies.documents import entity, field

Json = dict[str, Any]

THING = entity(
    "Thing",
    fields=[
        field("name"),
        field("body", "richtext", optional=True),
        field("owner", "id(Thing)", optional=True),
        field("rank", "int", optional=True),
        field("size", "int"),
        field("score", "float", optional=True),
        field("done", "bool", optional=True),
        field("at", "datetime", optional=True),
    ],
    crdt=False,
)
OPTIONAL = frozenset({"body", "owner", "rank", "score", "done", "at"})

TEXTS = ["", "a", "A", "ab", "b", "é", "e\u0301", "ß", "ﬀ", "\uffff", "\U0001f600", "a%b_c", "'\"\\", " a"]
WHOLES = [0, 1, -1, 2, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
FRACTIONS = [0.0, 0.5, -1.5, 1.0, 1e300, -1e300, 5e-324, 0.1, 2.0**53, 2.0**63, 1e22]
INSTANTS = [
    "2026-05-02T22:00:00Z",
    "2026-05-02T22:00:00.250Z",
    "2026-05-02T22:00:00.250001Z",
    "2026-05-03T00:00:00+02:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.5Z",
]
IDS = [f"r{number}" for number in range(12)]

HUGE = [10**30, -(10**30), 10**400, 2**63, 2**64, 2**52 + 0.5]
"""Numbers that no row holds."""

STORED: dict[str, list[Any]] = {
    "name": TEXTS,
    "body": TEXTS,
    "owner": [*IDS[:3], *TEXTS],
    "rank": WHOLES,
    "size": WHOLES,
    "score": FRACTIONS,
    "done": [True, False],
    "at": INSTANTS,
}
POOLS: dict[str, list[Any]] = {
    **STORED,
    "id": [*IDS, "", "r"],
    "rank": [*WHOLES, *FRACTIONS, *HUGE],
    "size": [*WHOLES, *FRACTIONS, *HUGE],
    "score": [*FRACTIONS, *WHOLES, *HUGE],
    "done": [True, False, 1, 0],
}
"""What is worth storing in each field, and comparing it with."""

_texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4)
_wholes = st.sampled_from(WHOLES) | st.integers(-(2**63), 2**63 - 1)
_fractions = st.sampled_from(FRACTIONS) | st.floats(allow_nan=False, allow_infinity=False)
_instants = st.sampled_from(INSTANTS)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": _texts,
    "body": _texts,
    "owner": st.sampled_from(IDS) | _texts,
    "rank": _wholes,
    "size": _wholes,
    "score": _fractions,
    "done": st.booleans(),
    "at": _instants,
}
_numbers = _wholes | _fractions | st.sampled_from(HUGE)
OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    **VALUES,
    "id": st.sampled_from(POOLS["id"]),
    "rank": _numbers,
    "size": _numbers,
    "score": _numbers,
    "done": st.sampled_from(POOLS["done"]),
}
"""What a field may be compared with."""
FIELDS = sorted(OPERANDS)
TEXT_FIELDS = frozenset({"id", "name", "body", "owner"})

things: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {name: st.none() | values if name in OPTIONAL else values for name, values in VALUES.items()}
)


def many_things(at_most: int = len(IDS)) -> st.SearchStrategy[dict[str, Json]]:
    """Rows by id."""
    return st.dictionaries(st.sampled_from(IDS), things, max_size=at_most)


@st.composite
def _constraint(draw: st.DrawFn) -> Json:
    name = draw(st.sampled_from(FIELDS))
    value = draw(OPERANDS[name])
    operators: list[Json] = [
        {name: value},
        {name: None},
        {name: {"$not": value}},
        {name: {"$not": None}},
        {name: {"$gt": value}},
        {name: {"$gte": value}},
        {name: {"$lt": value}},
        {name: {"$lte": value}},
        {name: {"$gt": value, "$lte": draw(OPERANDS[name])}},
        {name: {"$exists": draw(st.booleans())}},
        {name: {"$in": draw(st.lists(st.none() | OPERANDS[name], max_size=4))}},
    ]
    if name in TEXT_FIELDS:
        operators += [{name: {"$like": value}}] * 2
    return draw(st.sampled_from(operators))


wheres: st.SearchStrategy[Json] = st.recursive(
    st.just({}) | _constraint(),
    lambda part: st.one_of(
        st.tuples(part, part).map(lambda both: both[0] | both[1]),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"$and": parts}),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"$or": parts}),
    ),
    max_leaves=5,
)
orders: st.SearchStrategy[dict[str, str]] = st.dictionaries(
    st.sampled_from(FIELDS), st.sampled_from(["asc", "desc"]), max_size=3
)
