"""Calls that are run again because they may have kept their child from moving: once in effect, and in time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions import calls
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation, OnceScope
from pylon_functions.runner import Runner
from pylon_functions.workers import Turn
from pylon_http.jobs import JobStatus
from tests.pylon_functions.job_rig import KINDS, Claimed, Rig
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import Frame, ScriptedChild, ScriptedWorkers, silent, stepwise
from tests.support.waiting import until

INSERT: Frame = {"type": "db", "op_id": "1", "op": "insert", "entity": "Lot", "data": {"title": "t"}}
RETURN: Frame = {"type": "return", "value": "done"}
LIMIT_S = 0.6


class Lanes(ScriptedWorkers):
    """Children that are replaced by one another; remembers how suspects were tried, and may clear nobody."""

    def __init__(self, *children: ScriptedChild, clears: bool = False) -> None:
        super().__init__(*children)
        self.tried: list[str] = []
        self._clears = clears

    @contextmanager
    def isolated(self, name: str, deadline: float, turn: Turn) -> Iterator[Runner]:
        self.tried.append(turn.name.lower())
        with super().isolated(name, deadline, turn) as runner:
            try:
                yield runner
            finally:
                if runner.has_strays:
                    self.current.die()

    def is_cleared(self, _runner: Runner, deadline: float) -> bool:
        return self._clears


def stuck_after_insert(child: ScriptedChild, heard: Frame) -> None:
    if heard["type"] == "call" and heard["fn_name"] == "m":
        child.say({**INSERT, "call_id": heard["call_id"]})


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.store.close()


def run(rig: Rig, workers: ScriptedWorkers, name: str, **members: Any) -> bytes:
    host = FunctionHost(MANIFEST, rig.store, workers, SystemClock(), LIMIT_S)
    neighbour = threading.Thread(target=lambda: swallow(host, "a"), daemon=True)
    neighbour.start()
    until(lambda: workers.current.calls() == ["a"], "the neighbour")
    try:
        return bytes(host.run(Invocation(name, {}, ANONYMOUS, **members)))
    finally:
        neighbour.join(20)


def swallow(host: FunctionHost, name: str) -> None:
    with suppress(PylonError):
        host.run(Invocation(name, {}, ANONYMOUS, timeout_s=20.0))


def test_a_suspect_that_is_a_job_takes_place_once_and_completes_it(rig: Rig) -> None:
    job = Claimed(rig)
    lanes = Lanes(
        ScriptedChild(stuck_after_insert, **KINDS), ScriptedChild(stepwise(INSERT, RETURN), **KINDS), clears=True
    )

    assert run(rig, lanes, "m", claim=job.claim) == b'"done"'

    assert lanes.tried == ["brief"]
    assert rig.titles() == ["t"]
    assert job.status is JobStatus.COMPLETED


def test_a_suspect_that_is_a_part_takes_place_once(rig: Rig) -> None:
    once = OnceScope("workflow:wf_1", "step:3")
    lanes = Lanes(
        ScriptedChild(stuck_after_insert, **KINDS), ScriptedChild(stepwise(INSERT, RETURN), **KINDS), clears=True
    )

    assert run(rig, lanes, "m", once=once) == b'"done"'
    unasked = ScriptedChild(silent, **KINDS)
    assert bytes(rig.run(unasked, "m", once=once)) == b'"done"'

    assert unasked.calls() == []
    assert rig.titles() == ["t"]


def test_a_suspect_that_is_stuck_when_tried_leaves_its_job_and_no_row(rig: Rig) -> None:
    job = Claimed(rig)
    lanes = Lanes(*(ScriptedChild(stuck_after_insert, **KINDS) for _ in range(3)), clears=True)

    with pytest.raises(PylonError) as late:
        run(rig, lanes, "m", claim=job.claim)

    assert late.value.code == "FN_TIMEOUT"
    assert lanes.tried == ["brief", "full"]
    assert (rig.titles(), job.status) == ([], JobStatus.RUNNING)


@pytest.mark.parametrize(("clears", "code"), [(True, "RUNNER_EXITED"), (False, "FN_TIMEOUT")])
def test_an_action_lost_with_its_child_was_late_unless_another_is_to_blame(
    rig: Rig, *, clears: bool, code: str
) -> None:
    lanes = Lanes(ScriptedChild(lambda child, _heard: child.die(), **KINDS), clears=clears)
    host = FunctionHost(MANIFEST, rig.store, lanes, SystemClock(), LIMIT_S)

    with pytest.raises(PylonError) as lost:
        host.run(Invocation("a", {}, ANONYMOUS))

    assert lost.value.code == code


@pytest.mark.parametrize("is_one_late", [True, False], ids=["another was late", "nobody was"])
def test_a_mutation_kept_from_its_transaction_has_its_time_again_when_another_was_late(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, is_one_late: bool
) -> None:
    monkeypatch.setattr(calls, "NEWS_S", 0.05)
    by_call = Answering()
    stuck = ScriptedChild(by_call, **KINDS)
    host = FunctionHost(MANIFEST, rig.store, ScriptedWorkers(stuck), SystemClock(), LIMIT_S)
    is_held, go_on = threading.Event(), threading.Event()

    def hold(_tx: object) -> None:
        is_held.set()
        go_on.wait(20)

    holder = threading.Thread(target=lambda: rig.store.transact(hold), daemon=True)
    holder.start()
    assert is_held.wait(20)
    answers: list[bytes | str] = []

    def wait_for_transaction() -> None:
        try:
            answers.append(bytes(host.run(Invocation("m", {}, ANONYMOUS))))
        except PylonError as error:
            answers.append(error.code)

    waiting = threading.Thread(target=wait_for_transaction, daemon=True)
    waiting.start()
    until(lambda: by_call.returned >= 1, "the mutation to want its transaction")
    begun_by = time.monotonic()
    if is_one_late:
        host._calls._late.note()
    until(lambda: time.monotonic() > begun_by + LIMIT_S, "its time to go by")
    go_on.set()
    waiting.join(20)
    holder.join(20)

    assert answers == ([b'"done"'] if is_one_late else ["FN_TIMEOUT"])
    assert rig.titles() == (["t"] if is_one_late else [])


class Answering:
    """Inserts a row and returns; answers whoever asks whether it moves."""

    def __init__(self) -> None:
        self.returned = 0

    def __call__(self, child: ScriptedChild, heard: Frame) -> None:
        call_id = heard["call_id"]
        if call_id.startswith("/probe"):
            child.say({"type": "error", "call_id": call_id, "code": "FN_NOT_FOUND"})
        elif heard["type"] == "call":
            child.say({**INSERT, "call_id": call_id})
        else:
            self.returned += 1
            child.say({**RETURN, "call_id": call_id})
