"""A list that is told only the differences equals the first rows of a fresh, sorted result, whatever happened.

The rows are numbers in order of their rank. The model knows all of them; the window learns of each change as a
live query does, and is filled from the model when it says that it must be.
"""

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pylon_sync.live import Difference, Entry, Window

Row = Mapping[str, Any]

ids = st.sampled_from("abcdefghij")
ranks = st.integers(0, 4)


def row(row_id: str, rank: int, note: str = "") -> Row:
    return {"id": row_id, "rank": rank, "note": note}


def entry(row: Row) -> Entry:
    return Entry((row["rank"], row["id"]), row, 100 + row["rank"])


def apply(told: list[Row], difference: Difference | None) -> list[Row]:
    """As the protocol tells clients to do it."""
    if difference is None:
        return told
    leaving = {*difference.removed, *(row["id"] for _, row in difference.placed)}
    told = [row for row in told if row["id"] not in leaving]
    for index, placed in difference.placed:
        assert index <= len(told)
        told.insert(index, placed)
    return told


class Windows(RuleBasedStateMachine):
    @initialize(
        limit=st.integers(1, 4),
        spare=st.integers(1, 3),
        weight_max=st.sampled_from([math.inf, 300]),
        rows=st.dictionaries(ids, ranks),
    )
    def start(self, limit: int, spare: int, weight_max: float, rows: dict[str, int]) -> None:
        self.limit = limit
        self.weight_max = weight_max
        self.window = Window(limit, spare, weight_max)
        self.rows = {row_id: row(row_id, rank) for row_id, rank in rows.items()}
        self.held: set[str] = set()
        self.told: list[Row] = []
        self.fill()

    @rule(row_id=ids, rank=ranks, note=st.sampled_from("xy"))
    def put(self, row_id: str, rank: int, note: str) -> None:
        self.rows[row_id] = row(row_id, rank, note)
        self.apply_change(row_id)

    @rule(row_id=ids)
    def remove(self, row_id: str) -> None:
        """Also of a row that was never there."""
        self.rows.pop(row_id, None)
        self.apply_change(row_id)

    @rule()
    def tell(self) -> None:
        if self.window.is_short:
            self.fill()
        difference = self.window.difference()
        self.told = apply(self.told, difference)
        assert self.told == self.fresh()[: self.limit]
        assert self.window.told_rows() == self.told
        assert self.window.told_complete == (len(self.fresh()) <= self.limit)
        assert self.window.difference() is None

    @rule()
    def fill(self) -> None:
        """At any time; what was told before stays told."""
        first = self.fresh()[: self.window.capacity]
        self.window.fill([entry(row) for row in first], is_cut=len(first) < len(self.rows))
        self.held = set(self.window.held)

    @invariant()
    def everything_it_reports_is_so(self) -> None:
        assert self.held == set(self.window.held)
        assert len(self.held) <= self.window.capacity
        assert len(self.held) <= self.limit + 1 or self.window.weight <= self.weight_max
        assert self.window.weight == sum(entry(self.rows[row_id]).weight for row_id in self.held)

    def apply_change(self, row_id: str) -> None:
        changed = self.rows.get(row_id)
        for other in self.window.apply(row_id, None if changed is None else entry(changed)):
            (self.held.add if self.window.holds(other) else self.held.discard)(other)

    def fresh(self) -> list[Row]:
        return sorted(self.rows.values(), key=lambda row: (row["rank"], row["id"]))


Windows.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestWhatIsToldEqualsAFreshResult = Windows.TestCase


def filled(limit: int, spare: int, *ranks_of_rows: int, is_cut: bool = False) -> Window:
    """Rows ``r0``, ``r1``, … that have been told."""
    window = Window(limit, spare)
    window.fill([entry(row(f"r{n}", rank)) for n, rank in enumerate(ranks_of_rows)], is_cut=is_cut)
    window.difference()
    return window


def test_only_what_changed_is_told() -> None:
    window = filled(3, 2, 10, 20, 30)

    window.apply("new", entry(row("new", 15)))

    assert window.difference() == Difference(removed=["r2"], placed=[(1, row("new", 15))])


def test_a_row_that_was_changed_and_changed_back_is_not_told() -> None:
    window = filled(3, 2, 10, 20)

    window.apply("r0", entry(row("r0", 99)))
    window.apply("r0", entry(row("r0", 10)))

    assert window.difference() is None


def test_what_happens_behind_the_limit_is_not_told() -> None:
    window = filled(1, 2, 10, 20, 30)

    window.apply("r1", None)
    window.apply("new", entry(row("new", 25)))

    assert window.difference() is None


def test_that_the_result_is_no_longer_cut_by_the_limit_is_told() -> None:
    window = filled(2, 2, 10, 20, 30)
    assert not window.told_complete

    window.apply("r2", None)

    assert window.difference() == Difference([], [])
    assert window.told_complete


def test_the_spare_serves_departures_until_it_is_used_up() -> None:
    window = filled(2, 2, 10, 20, 30, 40, is_cut=True)

    window.apply("r0", None)
    assert not window.is_short
    assert window.difference() == Difference(["r0"], [(1, row("r2", 30))])

    window.apply("r1", None)
    assert window.is_short


def test_a_row_that_moves_behind_the_horizon_is_let_go() -> None:
    """Others may stand between, of which nothing is known."""
    window = filled(1, 2, 10, 20, 30, is_cut=True)

    window.apply("r0", entry(row("r0", 35)))

    assert not window.holds("r0")
    assert window.difference() == Difference(["r0"], [(0, row("r1", 20))])
