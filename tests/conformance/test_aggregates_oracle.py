"""Aggregates are what Python makes of the same rows, on every adapter."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core.datetimes import fixed_width
from pylon_http import DataStore, Filter, Row
from pylon_http.aggregates import parse_aggregation

FIELDS = ("shop", "units", "price", "paid", "soldAt")
NUMBERS = ("units", "price", "paid")
FORMATS = {
    "hour": "%Y-%m-%d %H:00:00",
    "day": "%Y-%m-%d",
    "week": "%Y-W%W",
    "month": "%Y-%m",
    "year": "%Y",
}

# Eighths add up without rounding, in whatever order.
prices = st.integers(-(2**20), 2**20).map(lambda eighths: eighths / 8)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.isoformat() + "Z")
sales = st.fixed_dictionaries(
    {
        "shop": st.none() | st.sampled_from(["", "Oslo", "oslo", "Ærø", "𝒪slo", "\uffff"]),
        "units": st.none() | st.integers(-3, 3) | st.sampled_from([2**40, -(2**40), 2**53 + 1]),
        "price": st.none() | prices,
        "paid": st.none() | st.booleans(),
        "soldAt": st.none() | st.sampled_from(["2026-01-04T23:59:59.999999Z", "2026-01-05T00:00:00Z"]) | instants,
    }
)


def some(fields: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(fields), unique=True, max_size=3)


keys = st.sampled_from(FIELDS) | st.sampled_from(list(FORMATS)).map(
    lambda bucket: {"field": "soldAt", "bucket": bucket}
)
specs = st.fixed_dictionaries(
    {"count": st.sampled_from(["*", *FIELDS])},
    optional={
        "sum": some(NUMBERS),
        "avg": some(NUMBERS),
        "min": some(FIELDS),
        "max": some(FIELDS),
        "countDistinct": some(FIELDS),
        "groupBy": st.lists(keys, max_size=2, unique_by=str),
        "where": st.sampled_from([{}, {"paid": True}, {"shop": None}, {"units": {"$gt": 0}}]),
    },
)

WHERE: dict[str, Callable[[Row], bool]] = {
    "{}": lambda _row: True,
    "{'paid': True}": lambda row: row["paid"] is True,
    "{'shop': None}": lambda row: row["shop"] is None,
    "{'units': {'$gt': 0}}": lambda row: row["units"] is not None and row["units"] > 0,
}


def by_hand(spec: dict[str, Any], rows: list[Row]) -> list[Row]:
    kept = [row for row in rows if WHERE[str(spec.get("where", {}))](row)]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in kept:
        groups.setdefault(tuple(key_of(key, row) for key in spec.get("groupBy", [])), []).append(row)
    if not spec.get("groupBy"):
        groups = {(): kept}
    names = [key if isinstance(key, str) else f"{key['field']}_{key['bucket']}" for key in spec.get("groupBy", [])]
    ordered = sorted(
        groups, key=lambda values: [rank(name, value) for name, value in zip(names, values, strict=True)]
    )
    return [{**dict(zip(names, values, strict=True)), **measures(spec, groups[values])} for values in ordered]


def key_of(key: Any, row: Row) -> Any:
    if isinstance(key, str):
        return row[key]
    if row["soldAt"] is None:
        return None
    return datetime.fromisoformat(row["soldAt"]).strftime(FORMATS[key["bucket"]])


def rank(field: str, value: Any) -> tuple[bool, Any]:
    """Null first, datetimes as instants."""
    if value is None:
        return (False, 0)
    return (True, fixed_width(value) if field == "soldAt" else value)


def measures(spec: dict[str, Any], rows: list[Row]) -> Row:
    found: Row = {}
    counted = spec["count"]
    found["count" if counted == "*" else f"count_{counted}"] = len(
        [row for row in rows if counted == "*" or row[counted] is not None]
    )
    for member in ("sum", "avg", "min", "max", "countDistinct"):
        for field in spec.get(member, []):
            values = [row[field] for row in rows if row[field] is not None]
            found[f"{'count_distinct' if member == 'countDistinct' else member}_{field}"] = measured(
                member, field, values
            )
    return found


def measured(member: str, field: str, values: list[Any]) -> Any:
    if member == "countDistinct":
        return len(set(values))
    if not values:
        return None
    match member:
        case "sum":
            return sum(values)
        case "avg":
            return sum(values) / len(values)
        case "min":
            return min(values, key=lambda value: rank(field, value))
        case _:
            return max(values, key=lambda value: rank(field, value))


def typed(rows: list[Row]) -> list[dict[str, tuple[type, Any]]]:
    return [{name: (type(value), value) for name, value in row.items()} for row in rows]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(sales, max_size=12), spec=specs)
def test_an_aggregate_is_what_python_makes_of_the_rows(
    shared_store: DataStore, rows: list[dict[str, Any]], spec: dict[str, Any]
) -> None:
    def only_these(tx: Any) -> None:
        for row in tx.query("Sale", Filter()):
            tx.delete("Sale", row["id"])
        for row in rows:
            tx.insert("Sale", row)

    shared_store.transact(only_these)

    with shared_store.read() as reader:
        stored = reader.query("Sale", Filter())
        found = reader.aggregate("Sale", parse_aggregation(spec))

    assert typed(found) == typed(by_hand(spec, stored))
