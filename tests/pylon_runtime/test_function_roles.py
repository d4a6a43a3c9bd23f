"""Who gets a process apart and when, which ends of processes count as failures to start, and stopping."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.endings import KeptOut
from pylon_functions.mailbox import Mailbox
from pylon_functions.workers import Turn
from pylon_runtime.function_backoff import Backoff
from pylon_runtime.function_launch import FunctionOptions, Language, Launcher, NothingToRun, StartFailed
from pylon_runtime.function_processes import FunctionProcesses
from pylon_runtime.function_quarantine import FULL_MAX, KNOWN_WAITING_MAX, LANES_MAX, LINGER_S, Quarantine, Suspect
from pylon_runtime.function_roles import Roles
from pylon_runtime.function_starts import SHORT_LIFE_S, SHORT_LIVES_MAX, Member, Starts
from tests.pylon_functions.bun_app import BunApp
from tests.pylon_functions.set_clock import SetClock
from tests.support.waiting import until


class Lane:
    """A ``Member`` as far as the quarantine looks at it."""

    def __init__(self) -> None:
        self.runner = SimpleNamespace(is_open=True, has_strays=False)
        self.idle_since: float | None = None


def lane() -> Member:
    return cast(Member, Lane())


def entered(quarantine: Quarantine, *turns: Turn) -> list[Suspect]:
    suspects = [Suspect(turn) for turn in turns]
    for suspect in suspects:
        quarantine.enter(suspect)
    return suspects


def open_all(quarantine: Quarantine) -> list[Turn]:
    """Open lanes as long as one is wanted; for whom."""
    turns = []
    while (turn := quarantine.wants_lane()) is not None:
        turns.append(turn)
        quarantine.open(lane())
    return turns


B, F, K = Turn.BRIEF, Turn.FULL, Turn.KNOWN


@pytest.mark.parametrize(
    ("waiting", "served"),
    [
        ([K, F, B], [B, F, K]),
        ([B] * 5, [B] * LANES_MAX),
        ([F] * 5, [F] * FULL_MAX),
        ([K] * 5, [K]),
        ([K, F, F], [F, F]),
        ([K, K, B], [B, K]),
    ],
    ids=["in order", "brief: every lane", "full: not the last", "known: one", "full first", "known and brief"],
)
def test_lanes_are_given_in_the_order_of_turns(waiting: list[Turn], served: list[Turn]) -> None:
    quarantine = Quarantine()
    suspects = entered(quarantine, *waiting)

    assert open_all(quarantine) == served
    assert sorted(suspect.turn.value for suspect in suspects if suspect.runner) == sorted(
        turn.value for turn in served
    )


def test_a_lane_goes_to_the_next_unless_a_handler_was_left_in_it() -> None:
    quarantine = Quarantine()
    first, second, third = entered(quarantine, K, K, K)
    quarantine.open(lane())
    kept = first.lane

    assert quarantine.leave(first) is None
    assert second.lane is kept
    assert kept is not None
    cast(Any, kept.runner).has_strays = True
    assert quarantine.leave(second) is kept
    assert third.lane is None
    assert quarantine.wants_lane() is K


def test_a_lane_that_is_free_is_kept_for_a_little() -> None:
    quarantine = Quarantine()
    [suspect] = entered(quarantine, K)
    quarantine.open(lane())
    quarantine.leave(suspect)

    assert quarantine.idle(10.0) == []
    assert quarantine.idle(10.0 + LINGER_S - 1) == []
    [again] = entered(quarantine, K)
    assert again.runner is not None
    quarantine.leave(again)
    assert quarantine.idle(10.0 + LINGER_S) == []
    assert quarantine.idle(10.0 + 2 * LINGER_S) == list(quarantine.lanes)


def test_so_many_calls_of_known_functions_wait_and_no_more() -> None:
    quarantine = Quarantine()
    entered(quarantine, *[K] * (KNOWN_WAITING_MAX - 1), B, F)
    assert not quarantine.is_crowded()

    entered(quarantine, K)

    assert quarantine.is_crowded()


def test_one_call_of_a_known_function_too_many_is_kept_out(tmp_path: Path) -> None:
    options = FunctionOptions(Path("functions"), tmp_path, os.environ)
    launcher = Launcher(Language("Shell", "sh", (".sh",), exits_at_once), options, SetClock(), lambda _line: None)
    processes = FunctionProcesses(launcher, 1, SetClock())
    entered(processes._roles.quarantine, *[K] * KNOWN_WAITING_MAX)

    with pytest.raises(KeptOut), processes.isolated(0.0, K):
        pass
    with pytest.raises(PylonError) as not_started, processes.isolated(0.0, B):
        pass
    assert not_started.value.code == "FUNCTIONS_NOT_AVAILABLE"


class Unlaunchable(Launcher):
    """Whether a start is tried shows in what it fails with."""

    def __init__(self) -> None:
        self.launches = 0

    def sources(self) -> frozenset[tuple[str, int, int]]:
        return frozenset()

    def launch(self, _on_ended: object) -> Any:
        self.launches += 1
        raise StartFailed("tried")


@pytest.mark.parametrize(
    ("was_given_out", "lived_s", "tried"),
    [(False, 0.1, 0), (True, 0.1, 1), (False, SHORT_LIFE_S, 1)],
    ids=["before any call", "a handler may have done it", "after a while"],
)
def test_only_ends_right_after_the_start_hold_up_the_next(
    *, was_given_out: bool, lived_s: float, tried: int
) -> None:
    launcher, clock = Unlaunchable(), SetClock()
    starts = Starts(launcher, clock, Roles().changed, lambda: None)
    member = cast(Member, SimpleNamespace(born=0.0, was_given_out=was_given_out))
    clock.seconds = lived_s
    for _ in range(SHORT_LIVES_MAX + 1):
        starts.note_end(member)

    with pytest.raises(StartFailed):
        starts.member()

    assert launcher.launches == tried


def test_starts_that_fail_are_tried_later_and_later_until_one_succeeds() -> None:
    clock = SetClock()
    backoff = Backoff(clock)

    assert [backoff.failed() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.hold(2.0)
    assert backoff.left_s() == 2.0
    backoff.forgive()
    assert backoff.left_s() <= 0
    assert backoff.failed() == 1
    backoff.succeeded()
    assert backoff.failed() == 1


def exits_after_ready(_options: FunctionOptions, _folder: str) -> list[str]:
    return ["/bin/sh", "-c", """echo '{"type": "ready", "functions": []}'; exit 3"""]


def exits_at_once(_options: FunctionOptions, _folder: str) -> list[str]:
    return ["/bin/sh", "-c", "exit 3"]


@pytest.mark.parametrize(
    ("command", "said"),
    [(exits_at_once, "did not become ready"), (exits_after_ready, "end right after they start")],
    ids=["never ready", "ready, then gone"],
)
def test_a_runtime_that_does_not_stay_is_held_up_and_said_not_to_start(
    tmp_path: Path, command: Any, said: str
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "a.sh").touch()
    clock = SystemClock()
    options = FunctionOptions(Path("functions"), tmp_path, os.environ)
    launcher = Launcher(Language("Shell", "sh", (".sh",), command), options, clock, lambda _line: None)
    processes = FunctionProcesses(launcher, 1, clock)
    processes.start()
    try:
        until(lambda: processes._supervisor._backoff.left_s() > 0, "the next start is held up")
        until(lambda: said in str(processes._roles.problem), "why is known")
        assert "does not start" in str(processes._roles.problem)
    finally:
        processes.stop(clock.monotonic() + 2)


def test_without_a_runtime_it_is_said_to_be_not_configured() -> None:
    assert NothingToRun("there are no files").state == "is not configured"
    assert StartFailed("it ends").state == "does not start"


def test_both_languages_are_stopped_side_by_side(tmp_path: Path) -> None:
    python = "from pylon_functions import query\n@query\ndef two(ctx): return 2\n"
    app = BunApp(tmp_path, {"a.py": python, "one": "export default query({ handler: () => 1 });"})
    deadline_s = 1.0
    try:
        until(lambda: {"one", "two"} <= {*app.runtime.registry()}, "both are loaded")
        runners = [app.runtime.pick(name, app.clock.monotonic() + 5) for name in ("one", "two")]
        for runner in runners:
            runner.begin("never ends", Mailbox())
    finally:
        begun = time.monotonic()
        app.runtime.stop(app.clock.monotonic() + deadline_s)
        took = time.monotonic() - begun
        app.store.close()

    assert deadline_s <= took < 1.8 * deadline_s
