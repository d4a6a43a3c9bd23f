"""The log keeps the newest events within its bounds and knows where a replay may begin."""

import pytest

from pylon_runtime.hub.log import EventLog
from tests.pylon_runtime.hub.harness import change

ROOMY = 1 << 30


def seqs(log: EventLog) -> list[int]:
    return [entry.event.seq for entry in map(log.entry, range(log.first, log.end)) if entry is not None]


def test_the_oldest_go_when_there_are_too_many() -> None:
    log = EventLog(events_max=3, bytes_max=ROOMY)

    log.append([change(seq) for seq in (1, 2, 10, 11, 40)], now=0)

    assert (log.first, log.end, seqs(log)) == (2, 5, [10, 11, 40])
    assert log.entry(1) is None


@pytest.mark.parametrize("value", ["x" * 10_000, ["x" * 10_000], {"deep": {"er": "x" * 10_000}}])
def test_the_oldest_go_when_they_are_too_big(value: object) -> None:
    log = EventLog(events_max=1000, bytes_max=100_000)

    for seq in range(1, 21):
        log.append([change(seq, value=value)], now=0)

    assert seqs(log) == [18, 19, 20]


def test_an_event_bigger_than_the_log_leaves_it_empty() -> None:
    log = EventLog(events_max=10, bytes_max=1000)

    log.append([change(1, value="x" * 10_000)], now=0)

    assert (log.first, log.end) == (1, 1)


def test_the_old_go_with_time() -> None:
    log = EventLog(events_max=10, bytes_max=ROOMY)
    log.append([change(1)], now=1)
    log.append([change(2)], now=2)
    log.append([change(3)], now=3)

    log.evict_older(than=2.5)

    assert seqs(log) == [3]


def test_seqs_at_or_below_the_newest_are_passed_over() -> None:
    log = EventLog(events_max=10, bytes_max=ROOMY)
    log.append([change(5)], now=0)

    log.append([change(4), change(5), change(6)], now=0)

    assert seqs(log) == [5, 6]


@pytest.mark.parametrize(("since", "position"), [(0, 0), (2, 2), (2.5, 3), (4, 4), (9, 5)])
def test_a_replay_begins_at_an_arrival(since: float, position: int) -> None:
    log = EventLog(events_max=10, bytes_max=ROOMY)
    for second in range(5):
        log.append([change(second + 1)], now=second)

    assert log.replay_start(since) == position


def test_a_replay_keeps_off_the_oldest_quarter_of_a_full_log() -> None:
    by_count, by_bytes = EventLog(events_max=8, bytes_max=ROOMY), EventLog(events_max=1000, bytes_max=80_000)
    for seq in range(1, 101):
        by_count.append([change(seq)], now=0)
        by_bytes.append([change(seq, value="x" * 4_000)], now=0)

    assert by_count.end - by_count.replay_start(since=0) == 6
    kept = by_bytes.end - by_bytes.first
    assert 0 < by_bytes.end - by_bytes.replay_start(since=0) < kept
