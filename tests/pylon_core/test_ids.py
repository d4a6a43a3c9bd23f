"""Row ids: their shape, that their text order is their creation order, and which names clients may choose."""

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_core.clock import SystemClock
from pylon_core.ids import RowIds, is_client_row_id


class SetClock:
    """Shows the given wall times one after the other, then stays at the last."""

    def __init__(self, *times_ns: int) -> None:
        self._times_ns = list(times_ns)

    def now_ns(self) -> int:
        return self._times_ns.pop(0) if len(self._times_ns) > 1 else self._times_ns[0]

    def monotonic(self) -> float:
        return 0.0


def test_an_id_is_nanoseconds_then_a_counter_in_hex() -> None:
    ids = RowIds(SetClock(0x1234))

    assert [ids.next(), ids.next()] == [f"{0x1234:032x}00000001", f"{0x1234:032x}00000002"]


def test_a_thousand_ids_strictly_increase_and_have_one_width() -> None:
    ids = RowIds(SystemClock())
    made = [ids.next() for _ in range(1000)]

    assert made == sorted(set(made))
    assert all(re.fullmatch(r"[0-9a-f]{40}", row_id) for row_id in made)


@given(st.lists(st.integers(0, 2**63), min_size=2, max_size=50))
def test_ids_increase_however_the_clock_jumps(times_ns: list[int]) -> None:
    ids = RowIds(SetClock(*times_ns))
    made = [ids.next() for _ in times_ns]

    assert made == sorted(set(made))
    assert {len(row_id) for row_id in made} == {40}


def test_ids_increase_when_the_counter_wraps() -> None:
    ids = RowIds(SetClock(5))
    ids._count = 0xFFFFFFFE  # four billion calls later

    made = [ids.next() for _ in range(3)]

    assert made == sorted(set(made))
    assert {len(row_id) for row_id in made} == {40}


def test_threads_never_share_an_id() -> None:
    ids = RowIds(SystemClock())
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine: list[str]) -> None:
        mine.extend(ids.next() for _ in range(500))

    threads = [threading.Thread(target=make, args=(mine,), name=f"ids-{n}") for n, mine in enumerate(made)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len({row_id for mine in made for row_id in mine}) == 8 * 500
    assert all(mine == sorted(mine) for mine in made)


@pytest.mark.parametrize(
    "text",
    ["a", "_pending_1714_x9", "01HZX.a:b-c", "A" * 128, "0" * 40],
    ids=["one letter", "pending", "every sign", "128 long", "our own"],
)
def test_names_a_client_may_give_a_row(text: str) -> None:
    assert is_client_row_id(text)


@pytest.mark.parametrize(
    "text",
    ["", "A" * 129, "a/b", "a b", "-a", ".a", "..", ":a", "a\n", "é", "a%2Fb", "a\0"],
    ids=[
        "empty",
        "129 long",
        "slash",
        "space",
        "leading dash",
        "leading dot",
        "parent",
        "leading colon",
        "newline",
        "accent",
        "percent",
        "nul",
    ],
)
def test_names_a_client_may_not_give_a_row(text: str) -> None:
    assert not is_client_row_id(text)


def test_makers_that_start_apart_differ_at_the_same_nanosecond() -> None:
    assert RowIds(SetClock(5), 7).next() == f"{5:032x}00000008"
    assert RowIds(SetClock(5), 9).next() == f"{5:032x}0000000a"
    assert RowIds(SetClock(5), 0xFFFFFFFF).next() == f"{6:032x}00000001"
