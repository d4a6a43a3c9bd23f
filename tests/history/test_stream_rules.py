"""The rule for readers of event streams on tapes made by hand."""

import pytest

from tests.history.evidence import Evidence
from tests.history.history import Event, FinalState, History, LogEntry
from tests.history.stream_rules import a_tape_has_every_visible_event_once_and_in_order

LOG = [
    LogEntry(10, "Doc", "d", "insert", {"id": "d", "tag": "t1", "owner": "ann"}),
    LogEntry(20, "Doc", "e", "insert", {"id": "e", "tag": "t2", "owner": "bob"}),
    LogEntry(30, "Doc", "d", "update", {"id": "d", "tag": "t3", "owner": "ann"}),
    LogEntry(40, "Doc", "d", "update", {"id": "d", "tag": "t4", "owner": "bob"}),
]
ANNS = [
    Event(10, "Doc", "d", "insert", {"id": "d", "tag": "t1", "owner": "ann"}),
    Event(30, "Doc", "d", "update", {"id": "d", "tag": "t3", "owner": "ann"}),
    Event(40, "Doc", "d", "delete"),
]
BOBS = Event(20, "Doc", "e", "insert", {"id": "e", "tag": "t2", "owner": "bob"})
INSERTED, CHANGED, GONE = ANNS


def violations(tape: list[Event]) -> list[str]:
    final = FinalState(LOG, {}, {}, {}, tapes={"r": tape})
    return list(a_tape_has_every_visible_event_once_and_in_order(Evidence(History({"r": "ann"}), final)))


def test_all_that_may_be_seen_once_and_in_order_is_right() -> None:
    assert violations(ANNS) == []


@pytest.mark.parametrize(
    "tape",
    [
        pytest.param([INSERTED, GONE], id="a gap"),
        pytest.param([CHANGED, GONE], id="nothing of the beginning"),
        pytest.param([INSERTED, CHANGED], id="nothing of the end"),
        pytest.param([INSERTED, CHANGED, CHANGED, GONE], id="a repeat"),
        pytest.param([*ANNS, GONE], id="a repeat at the end"),
        pytest.param([INSERTED, GONE, CHANGED], id="another order"),
        pytest.param([INSERTED, BOBS, CHANGED, GONE], id="something of somebody else"),
        pytest.param([], id="nothing"),
    ],
)
def test_every_other_tape_is_caught(tape: list[Event]) -> None:
    assert len(violations(tape)) == 1
