"""What is remembered of functions that ended or blocked their process, and what becomes of their next calls."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_functions.offenders import MEMORY_S, REMEMBERED_MAX, Offenders
from pylon_functions.runner import Runner
from pylon_functions.workers import Turn
from tests.pylon_functions.job_rig import KINDS, Rig
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import (
    Frame,
    Script,
    ScriptedChild,
    ScriptedWorkers,
    dying,
    saying,
    silent,
)
from tests.pylon_functions.set_clock import SetClock
from tests.support.waiting import until

RETURN: Frame = {"type": "return", "value": "done"}
LIMIT_S = 0.6


class Recorded(ScriptedWorkers):
    """A child for each script in turn; remembers which calls were run apart, and for what turn."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__(*(ScriptedChild(script, **KINDS) for script in scripts))
        self.turns: list[str] = []
        self._apart = threading.Lock()

    @contextmanager
    def isolated(self, name: str, deadline: float, turn: Turn) -> Iterator[Runner]:
        self.turns.append(turn.name)
        with self._apart, super().isolated(name, deadline, turn) as runner:
            try:
                yield runner
            finally:
                if runner.has_strays:
                    self.current.die()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.store.close()


def outcome(host: FunctionHost, name: str) -> str:
    try:
        return bytes(host.run(Invocation(name, {}, ANONYMOUS))).decode()
    except PylonError as error:
        return error.code


@pytest.mark.parametrize(
    ("name", "scripts", "outcomes", "turns"),
    [
        ("m", [dying, saying(RETURN)], ['"done"', '"done"'], ["BRIEF"]),
        ("m", [dying] * 3, ["RUNNER_EXITED"] * 2, ["BRIEF", "KNOWN"]),
        ("a", [dying, saying(RETURN)], ["RUNNER_EXITED", '"done"', '"done"'], ["KNOWN"]),
        ("a", [dying] * 3, ["RUNNER_EXITED"] * 3, ["KNOWN", "KNOWN"]),
        ("m", [silent, saying(RETURN)], ["FN_TIMEOUT", '"done"', '"done"'], ["KNOWN"]),
        ("m", [silent] * 3, ["FN_TIMEOUT"] * 3, ["KNOWN", "KNOWN"]),
        ("a", [silent] * 3, ["FN_TIMEOUT"] * 3, ["KNOWN", "KNOWN"]),
    ],
    ids=[
        "a call that another took along has its result",
        "a crasher is known from its second crash on",
        "an action that another took along is tried once",
        "an action that crashes is known from its second crash on",
        "one that was late once is tried once",
        "one that is stuck again is known",
        "an action that is stuck again is known",
    ],
)
def test_calls_of_those_that_did_it_before_are_run_apart(
    rig: Rig, name: str, scripts: list[Script], outcomes: list[str], turns: list[str]
) -> None:
    workers = Recorded(*scripts)
    host = FunctionHost(MANIFEST, rig.store, workers, SystemClock(), LIMIT_S)

    assert [outcome(host, name) for _ in outcomes] == outcomes
    assert workers.turns == turns


def test_of_calls_lost_together_only_the_one_to_blame_is_remembered(rig: Rig) -> None:
    def crash_on_m(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call" and heard["fn_name"] == "m":
            child.die()
        elif heard["type"] == "call" and child is not shared:
            child.say({**RETURN, "call_id": heard["call_id"]})

    workers = Recorded(*[crash_on_m] * 6)
    shared = workers.current
    host = FunctionHost(MANIFEST, rig.store, workers, SystemClock(), 10.0)
    outcomes: list[str] = []
    innocent = threading.Thread(target=lambda: outcomes.append(outcome(host, "q")), daemon=True)
    innocent.start()
    until(lambda: shared.calls() == ["q"], "it shares the child")

    assert outcome(host, "m") == "RUNNER_EXITED"
    innocent.join(20)

    assert outcomes == ['"done"']
    assert sorted(workers.turns) == ["BRIEF", "BRIEF"]
    assert outcome(host, "q") == '"done"'
    assert outcome(host, "m") == "RUNNER_EXITED"
    assert workers.turns[2:] == ["KNOWN"]


def test_a_known_function_that_there_is_not_for_the_caller_gets_no_turn(rig: Rig) -> None:
    workers = Recorded(saying(RETURN))
    host = FunctionHost(MANIFEST, rig.store, workers, SystemClock(), LIMIT_S)
    host._calls._offenders.convict("nope")

    assert outcome(host, "nope") == "FN_NOT_FOUND"
    assert workers.turns == []


@pytest.mark.parametrize("note", [Offenders.convict, Offenders.suspect], ids=["convicted", "suspected"])
def test_what_a_function_did_is_forgotten_after_a_while(note: Callable[[Offenders, str], None]) -> None:
    clock = SetClock()
    offenders = Offenders(clock)
    note(offenders, "m")
    note(offenders, "n")

    clock.seconds += MEMORY_S - 1
    assert offenders.goes_apart("m")
    clock.seconds += 1
    assert not offenders.goes_apart("n")


def test_suspicion_is_for_one_call_and_conviction_for_all() -> None:
    offenders = Offenders(SetClock())
    offenders.suspect("m")
    offenders.convict("n")

    assert [offenders.goes_apart("m") for _ in range(2)] == [True, False]
    assert [offenders.goes_apart("n") for _ in range(2)] == [True, True]
    assert not offenders.goes_apart("o")


def test_of_too_many_that_is_forgotten_which_did_it_longest_ago() -> None:
    offenders = Offenders(SetClock())
    for number in range(REMEMBERED_MAX):
        offenders.convict(f"f{number}")
    offenders.convict("f0")
    offenders.convict("one more")

    assert [offenders.goes_apart(name) for name in ("f0", "f1", "f2", "one more")] == [True, False, True, True]
