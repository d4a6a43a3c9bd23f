"""What every adapter makes of an aggregation: the same numbers, types, groups and refusals (contract 12 §10)."""

from typing import Any

import msgspec
import pytest

from pylon_http import Condition, DataError, DataStore, Filter, TxStore
from pylon_http.aggregates import parse_aggregation

MAX = 2**63 - 1

ROWS: tuple[dict[str, Any], ...] = (
    {"shop": "Oslo", "units": 2, "price": 1.5, "paid": True, "soldAt": "2026-01-01T00:30:00Z"},
    {"shop": "Oslo", "units": 3, "price": 2.5, "paid": False, "soldAt": "2026-01-04T23:59:59.9999Z"},
    {"shop": "oslo", "units": 3, "price": None, "paid": True, "soldAt": "2026-01-05T00:00:00Z"},
    {"shop": None, "units": -4, "price": 0.5, "paid": None, "soldAt": None},
    {"shop": "Ærø", "units": None, "price": 4.0, "paid": False, "soldAt": "2026-12-31T22:15:00.250-03:00"},
)


@pytest.fixture
def store(shared_store: DataStore) -> DataStore:
    """Without any sales."""

    def clear(tx: TxStore) -> None:
        for row in tx.query("Sale", Filter()):
            tx.delete("Sale", row["id"])

    shared_store.transact(clear)
    return shared_store


def fill(store: DataStore, *rows: dict[str, Any]) -> None:
    store.transact(lambda tx: [tx.insert("Sale", row) for row in rows])


def answer(store: DataStore, spec: dict[str, Any], **limits: Any) -> list[dict[str, Any]]:
    wanted = msgspec.structs.replace(parse_aggregation(spec), **limits)
    with store.read() as reader:
        return reader.aggregate("Sale", wanted)


def typed(rows: list[dict[str, Any]]) -> list[dict[str, tuple[type, Any]]]:
    """True equals 1 and 2 equals 2.0, but they are not the same JSON."""
    return [{name: (type(value), value) for name, value in row.items()} for row in rows]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"count": "*"}, {"count": 5}),
        ({"count": "units"}, {"count_units": 4}),
        ({"countDistinct": ["units", "shop", "paid"]}, {"units": 3, "shop": 3, "paid": 2}),
        ({"sum": ["units", "price", "paid"]}, {"units": 4, "price": 8.5, "paid": 2}),
        ({"avg": ["units", "price", "paid"]}, {"units": 1.0, "price": 2.125, "paid": 0.5}),
        ({"min": ["units", "price", "paid"]}, {"units": -4, "price": 0.5, "paid": False}),
        ({"max": ["units", "price", "paid"]}, {"units": 3, "price": 4.0, "paid": True}),
        ({"min": ["shop", "id"], "max": ["shop"], "where": {"shop": {"$like": "slo"}, "units": 3}}, None),
        ({"min": ["soldAt"]}, {"soldAt": "2026-01-01T00:30:00Z"}),
        ({"max": ["soldAt"]}, {"soldAt": "2027-01-01T01:15:00.250Z"}),
    ],
    ids=str,
)
def test_a_measure_over_all_rows(store: DataStore, spec: dict[str, Any], expected: dict[str, Any] | None) -> None:
    fill(store, *ROWS)

    (row,) = answer(store, spec)

    if expected is None:
        assert (row["min_shop"], row["max_shop"], len(row["min_id"])) == ("Oslo", "oslo", 40)
    elif "count" in spec:
        assert typed([row]) == typed([expected])
    else:
        prefix = next(iter(spec)).replace("countDistinct", "count_distinct")
        assert typed([row]) == typed([{f"{prefix}_{field}": value for field, value in expected.items()}])


def test_nothing_is_counted_as_none_and_measured_as_null(store: DataStore) -> None:
    everything = {"count": "*", **{name: ["units", "price"] for name in ("sum", "avg", "min", "max")}}

    (empty,) = answer(store, everything)
    fill(store, {"shop": "only nulls"})
    (nulls,) = answer(store, everything)

    assert (empty.pop("count"), set(empty.values())) == (0, {None})
    assert (nulls.pop("count"), set(nulls.values())) == (1, {None})


@pytest.mark.parametrize(
    ("units", "total"),
    [
        ([MAX, MAX, -MAX], MAX),
        ([-MAX - 1, -1, 1], -MAX - 1),
        ([2**32, -(2**32), 2**31, -1], 2**31 - 1),
        ([-1] * 7, -7),
        ([2**53, 1], 2**53 + 1),
    ],
    ids=["over on the way", "the least", "both halves", "negative", "beyond doubles"],
)
def test_sums_of_integers_are_exact(store: DataStore, units: list[int], total: int) -> None:
    fill(store, *({"units": number} for number in units))

    (row,) = answer(store, {"sum": ["units"], "avg": ["units"]})

    assert typed([row]) == typed([{"sum_units": total, "avg_units": total / len(units)}])


@pytest.mark.parametrize(
    ("field", "values"),
    [("units", [MAX, 1]), ("units", [-MAX - 1, -1]), ("price", [1.7e308, 1.7e308])],
)
def test_a_sum_that_no_field_could_hold_is_refused(store: DataStore, field: str, values: list[Any]) -> None:
    fill(store, *({field: value} for value in values))

    with pytest.raises(DataError) as refused:
        answer(store, {"sum": [field]})

    assert (refused.value.code, refused.value.status) == ("INVALID_QUERY", 400)


def test_an_average_needs_no_sum_that_fits(store: DataStore) -> None:
    fill(store, {"units": MAX}, {"units": MAX})

    assert answer(store, {"avg": ["units"]}) == [{"avg_units": float(MAX)}]


def test_groups_come_in_the_order_of_their_keys_null_first(store: DataStore) -> None:
    fill(store, *ROWS)

    rows = answer(store, {"count": "*", "sum": ["units"], "groupBy": ["shop"]})

    assert typed(rows) == typed(
        [
            {"shop": None, "count": 1, "sum_units": -4},
            {"shop": "Oslo", "count": 2, "sum_units": 5},
            {"shop": "oslo", "count": 1, "sum_units": 3},
            {"shop": "Ærø", "count": 1, "sum_units": None},
        ]
    )


def test_keys_have_the_types_of_their_fields(store: DataStore) -> None:
    fill(store, *ROWS[:1], ROWS[3])

    rows = answer(store, {"count": "*", "groupBy": ["paid", "units", "price", "soldAt", "id"]})

    assert [{**row, "id": len(row["id"])} for row in rows] == [
        {"paid": None, "units": -4, "price": 0.5, "soldAt": None, "id": 40, "count": 1},
        {"paid": True, "units": 2, "price": 1.5, "soldAt": "2026-01-01T00:30:00Z", "id": 40, "count": 1},
    ]
    assert rows[1]["paid"] is True


@pytest.mark.parametrize(
    ("bucket", "keys"),
    [
        (
            "hour",
            ["2026-01-01 00:00:00", "2026-01-04 23:00:00", "2026-01-05 00:00:00", "2027-01-01 01:00:00"],
        ),
        ("day", ["2026-01-01", "2026-01-04", "2026-01-05", "2027-01-01"]),
        (None, ["2026-01-01", "2026-01-04", "2026-01-05", "2027-01-01"]),
        ("week", ["2026-W00", "2026-W01", "2027-W00"]),
        ("month", ["2026-01", "2027-01"]),
        ("year", ["2026", "2027"]),
    ],
)
def test_buckets_cut_datetimes_off_in_utc(store: DataStore, bucket: str | None, keys: list[str]) -> None:
    fill(store, *ROWS)
    key = {"field": "soldAt"} if bucket is None else {"field": "soldAt", "bucket": bucket}

    rows = answer(store, {"count": "*", "groupBy": [key]})

    assert [row[f"soldAt_{bucket or 'day'}"] for row in rows] == [None, *keys]


@pytest.mark.parametrize(
    ("instant", "week"),
    [
        ("2024-12-30T00:00:00Z", "2024-W53"),
        ("2023-01-01T12:00:00Z", "2023-W00"),
        ("2018-12-31T12:00:00Z", "2018-W53"),
        ("2018-01-01T00:00:00Z", "2018-W01"),
        ("0001-01-01T00:00:00Z", "0001-W01"),
        ("9999-12-31T23:59:59.999999Z", "9999-W52"),
    ],
)
def test_weeks_are_those_of_the_year_from_monday_on(store: DataStore, instant: str, week: str) -> None:
    fill(store, {"soldAt": instant})

    key = {"field": "soldAt", "bucket": "week"}
    assert answer(store, {"count": "*", "groupBy": [key]}) == [{"soldAt_week": week, "count": 1}]


def test_groups_of_nothing_are_none(store: DataStore) -> None:
    assert answer(store, {"count": "*", "groupBy": ["shop"]}) == []


def test_the_first_groups_are_those_of_a_limit(store: DataStore) -> None:
    fill(store, *({"units": number // 2} for number in range(20)))

    rows = answer(store, {"count": "*", "groupBy": ["units"]}, limit=3)

    assert rows == [{"units": number, "count": 2} for number in range(3)]


def test_where_and_condition_both_narrow(store: DataStore) -> None:
    fill(store, *ROWS)
    condition = Condition('"units" = ? OR "units" = ?', (2, 3))
    where = {"$or": [{"paid": True}, {"price": {"$gte": 4}}]}

    assert answer(store, {"count": "*", "where": where}) == [{"count": 3}]
    assert answer(store, {"count": "*", "where": where}, condition=condition) == [{"count": 2}]
    assert answer(store, {"count": "*", "where": {"shop": None}}) == [{"count": 1}]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"sum": ["shop"]}, "INVALID_QUERY"),
        ({"avg": ["soldAt"]}, "INVALID_QUERY"),
        ({"sum": ["id"]}, "INVALID_QUERY"),
        ({"count": "*", "groupBy": [{"field": "units", "bucket": "day"}]}, "INVALID_QUERY"),
        ({"count": "*", "groupBy": [{"field": "shop"}]}, "INVALID_QUERY"),
        ({"count": "*", "where": {"$search": "a"}}, "SEARCH_NOT_CONFIGURED"),
        *(
            (spec, "INVALID_COLUMN")
            for spec in (
                {"count": "nope"},
                {"sum": ["nope"]},
                {"min": ['units") FROM "Note" --']},
                {"countDistinct": ["nope"]},
                {"count": "*", "groupBy": ["nope"]},
                {"count": "*", "groupBy": [{"field": "nope"}]},
                {"count": "*", "where": {"nope": 1}},
            )
        ),
    ],
    ids=str,
)
def test_an_aggregation_that_means_nothing_is_refused(store: DataStore, spec: dict[str, Any], code: str) -> None:
    with pytest.raises(DataError) as refused:
        answer(store, spec)

    assert (refused.value.code, refused.value.status) == (code, 400)


def test_an_unknown_entity_is_not_found(store: DataStore) -> None:
    with store.read() as reader, pytest.raises(DataError) as refused:
        reader.aggregate("Nope", parse_aggregation({"count": "*"}))

    assert refused.value.code == "ENTITY_NOT_FOUND"
