"""Functions of one app in children of two kinds: an action runs those of the other as well as its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_http import Filter
from pylon_storage import EphemeralStore
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import (
    Frame,
    Pools,
    Script,
    ScriptedChild,
    ScriptedWorkers,
    dying,
    saying,
    silent,
    stepwise,
)
from tests.support.waiting import until

OURS = {"a": "action", "m": "mutation"}
THEIRS = {"q": "query", "their_m": "mutation"}
INSERT: Frame = {"type": "db", "op_id": "1", "op": "insert", "entity": "Lot", "data": {"title": "t"}}


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    opened = EphemeralStore(MANIFEST, watched={"Lot": frozenset()})
    yield opened
    opened.close()


def returning(value: object) -> Frame:
    return {"type": "return", "value": value}


def running(name: str, kind: str) -> Script:
    """An action that runs one function and returns what it was answered."""

    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            run: Frame = {"type": "run_fn", "op_id": "n", "fn_name": name, "fn_type": kind}
            child.say({**run, "call_id": heard["call_id"]})
        elif heard["type"] == "result":
            answer = heard["error"]["code"] if "error" in heard else heard["data"]
            child.say({**returning(answer), "call_id": heard["call_id"]})

    return script


class Rig:
    def __init__(
        self, store: EphemeralStore, ours: list[Script], theirs: list[Script], timeout_s: float = 20.0
    ) -> None:
        self.ours = [ScriptedChild(script, **OURS) for script in ours]
        self.theirs = [ScriptedChild(script, **THEIRS) for script in theirs]
        self.our_workers, self.their_workers = ScriptedWorkers(*self.ours), ScriptedWorkers(*self.theirs)
        workers = Pools(self.our_workers, self.their_workers)
        self.host = FunctionHost(MANIFEST, store, workers, SystemClock(), timeout_s)

    def run(self, name: str, **members: Any) -> bytes:
        return bytes(self.host.run(Invocation(name, {}, ANONYMOUS, **members)))


def rows(store: EphemeralStore) -> int:
    with store.read() as reader:
        return reader.count("Lot", Filter())


def test_a_call_goes_where_its_function_is(store: EphemeralStore) -> None:
    rig = Rig(store, [saying(returning("ours"))], [saying(returning("theirs"))])

    assert (rig.run("m"), rig.run("q")) == (b'"ours"', b'"theirs"')


def test_an_action_runs_functions_of_another_child(store: EphemeralStore) -> None:
    rig = Rig(store, [running("their_m", "mutation")], [stepwise(INSERT, returning("theirs"))])

    assert rig.run("a") == b'"theirs"'
    assert rig.theirs[0].calls() == ["their_m"]
    assert rows(store) == 1


def test_an_action_is_heard_while_another_child_runs_its_mutation(store: EphemeralStore) -> None:
    rig = Rig(store, [running("their_m", "mutation")], [silent])
    heard: list[str] = []

    def listener(text: str, _event: str | None) -> None:
        heard.append(text)
        rig.theirs[0].say({**returning(2), "call_id": "c_1"})

    def speak(child: ScriptedChild, frame: Frame) -> None:
        rig.ours[0].say({"type": "stream", "data": "meanwhile", "call_id": "c_0"})

    rig.theirs[0].rescript(speak)

    assert rig.run("a", listener=listener) == b"2"
    assert heard == ["meanwhile"]


@pytest.mark.parametrize(
    ("theirs", "answer"),
    [([dying, saying(returning(3))], b"3"), ([dying, dying], b'"RUNNER_EXITED"')],
    ids=["once", "twice"],
)
def test_a_nested_call_whose_child_died_is_run_once_more(
    store: EphemeralStore, theirs: list[Script], answer: bytes
) -> None:
    assert Rig(store, [running("q", "query")], theirs).run("a") == answer


def test_a_nested_call_that_hangs_costs_the_child_it_hangs_in(store: EphemeralStore) -> None:
    rig = Rig(store, [running("q", "query")], [silent], timeout_s=0.1)

    with pytest.raises(PylonError) as failed:
        rig.run("a")

    assert failed.value.code == "FN_TIMEOUT"
    assert (rig.our_workers.replaced, rig.their_workers.replaced) == (0, 1)
    until(lambda: rig.ours[0].abandoned() == ["c_0"], "the action was told")


def test_a_nested_call_ends_with_the_child_of_its_action(store: EphemeralStore) -> None:
    rig = Rig(store, [running("their_m", "mutation")], [silent, silent])

    def strike(child: ScriptedChild, frame: Frame) -> None:
        if frame["type"] == "call":
            child.say({**INSERT, "call_id": frame["call_id"]})
        else:
            rig.ours[0].die()

    rig.theirs[0].rescript(strike)

    with pytest.raises(PylonError) as failed:
        rig.run("a")

    assert (failed.value.code, failed.value.status) == ("RUNNER_EXITED", 502)
    assert rows(store) == 0
    until(lambda: rig.theirs[0].abandoned() == ["c_1"], "the mutation was told")
    assert rig.theirs[0].calls() == ["their_m"]


def test_a_function_that_nobody_has_is_not_found(store: EphemeralStore) -> None:
    assert Rig(store, [running("nope", "query")], [silent]).run("a") == b'"FN_NOT_FOUND"'
