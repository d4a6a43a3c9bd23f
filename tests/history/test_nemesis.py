"""The schedule of faults is a function of the seed, and what it begins it ends."""

from itertools import pairwise

import pytest

from tests.history.nemesis import DATABASE, KINDS, NETWORK, PROCESS, Fault, FaultKind, Nemesis, moments, schedule

TARGETS = {
    "link": NETWORK,
    "other link": NETWORK,
    "server": PROCESS,
    "client": PROCESS,
    "database": DATABASE,
}
SEEDS = range(50)
SECONDS = 20.0


def test_one_seed_gives_one_schedule_and_another_another() -> None:
    assert schedule(1, TARGETS, SECONDS) == schedule(1, TARGETS, SECONDS)
    assert schedule(1, TARGETS, SECONDS) != schedule(2, TARGETS, SECONDS)


def test_what_a_longer_run_begins_with_is_the_shorter_one() -> None:
    shorter, longer = (schedule(1, TARGETS, seconds) for seconds in (SECONDS, 2 * SECONDS))

    assert [(f.begins_s, f.target, f.kind) for f in longer[: len(shorter)]] == [
        (f.begins_s, f.target, f.kind) for f in shorter
    ]


def test_every_kind_of_fault_happens() -> None:
    assert {fault.kind for seed in SEEDS for fault in schedule(seed, TARGETS, SECONDS)} == set(FaultKind)
    assert set(KINDS) == set(FaultKind)


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_end_in_time_befall_whom_they_may_and_one_at_a_time(seed: int) -> None:
    faults = schedule(seed, TARGETS, SECONDS)

    assert all(0 < fault.begins_s <= fault.ends_s <= SECONDS for fault in faults)
    assert all(fault.kind in TARGETS[fault.target] for fault in faults)
    for target in TARGETS:
        its_own = [fault for fault in faults if fault.target == target]
        assert all(one.ends_s <= next_.begins_s for one, next_ in pairwise(its_own))


def test_faults_begin_and_end_in_order_of_time() -> None:
    long = Fault(1.0, 4.0, "a", FaultKind.KILL)
    short = Fault(2.0, 3.0, "b", FaultKind.CUT)

    assert list(moments([long, short])) == [
        (1.0, False, long),
        (2.0, False, short),
        (3.0, True, short),
        (4.0, True, long),
    ]


class Witness:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def begin(self, fault: Fault) -> None:
        self.seen.append(("begins", fault.target))
        if fault.target == "unbreakable":
            raise ValueError(fault.target)

    def end(self, fault: Fault) -> None:
        self.seen.append(("ends", fault.target))


def test_the_nemesis_carries_the_schedule_out() -> None:
    witness = Witness()
    nemesis = Nemesis([Fault(0.0, 0.02, "a", FaultKind.KILL), Fault(0.01, 0.03, "b", FaultKind.CUT)], witness)

    nemesis.start()
    nemesis.join(5)

    assert witness.seen == [("begins", "a"), ("begins", "b"), ("ends", "a"), ("ends", "b")]


def test_what_goes_wrong_on_its_thread_is_told_to_who_joins_it() -> None:
    nemesis = Nemesis([Fault(0.0, 0.0, "unbreakable", FaultKind.KILL)], Witness())

    nemesis.start()

    with pytest.raises(ValueError, match="unbreakable"):
        nemesis.join(5)
