"""Who waits for a call: hears what it streams, may go away, has only so much time (contract 07 §6, §9)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions import mailbox as mailboxes
from pylon_functions.endings import CallerGone
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_functions.mailbox import Mailbox
from pylon_functions.protocol import Stream
from pylon_http import Filter, Reader
from pylon_storage import EphemeralStore
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import (
    Frame,
    Script,
    ScriptedChild,
    ScriptedWorkers,
    by_name,
    saying,
    silent,
)
from tests.pylon_functions.set_clock import SetClock
from tests.support.waiting import until

KINDS = {"q": "query", "m": "mutation", "a": "action"}
RETURN: Frame = {"type": "return", "value": 1}
INSERT: Frame = {"type": "db", "op_id": "1", "op": "insert", "entity": "Lot", "data": {"title": "t"}}
RUN_MUTATION: Frame = {"type": "run_fn", "op_id": "n", "fn_name": "m", "fn_type": "mutation"}


def chunk(text: Any, event: Any = None) -> Frame:
    return {"type": "stream", "data": text} if event is None else {"type": "stream", "data": text, "event": event}


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    opened = EphemeralStore(MANIFEST, watched={"Lot": frozenset()})
    yield opened
    opened.close()


def titles(store: EphemeralStore) -> list[str]:
    with store.read() as reader:
        return [row["title"] for row in reader.query("Lot", Filter())]


class Rig:
    """A host over one child."""

    def __init__(self, store: EphemeralStore, script: Script, timeout_s: float = 20.0) -> None:
        self.child = ScriptedChild(script, **KINDS)
        self.workers = ScriptedWorkers(self.child)
        self.host = FunctionHost(MANIFEST, store, self.workers, SystemClock(), timeout_s)

    def run(self, name: str, **members: Any) -> bytes:
        return bytes(self.host.run(Invocation(name, {}, ANONYMOUS, **members)))

    def has_abandoned(self, *call_ids: str) -> None:
        until(lambda: set(call_ids) <= set(self.child.abandoned()), "the child was told")


@pytest.mark.parametrize("kind", ["q", "m", "a"])
def test_what_is_streamed_is_heard_before_the_function_goes_on(store: EphemeralStore, kind: str) -> None:
    """The handler returns only once the listener has its chunks, so a host that kept them would wait for ever."""
    rig = Rig(store, saying(chunk("a"), chunk("", "done"), chunk("b\n", "e")))
    heard: list[tuple[str, str | None]] = []

    def listener(text: str, event: str | None) -> None:
        heard.append((text, event))
        if event == "e":
            rig.child.say({**RETURN, "call_id": "c_0"})

    assert rig.run(kind, listener=listener) == b"1"
    assert heard == [("a", None), ("", "done"), ("b\n", "e")]


@pytest.mark.parametrize(
    ("frame", "heard"),
    [(chunk(5), ("5", None)), (chunk({"a": [None]}), ('{"a":[null]}', None)), (chunk("x", 5), ("x", None))],
    ids=["number", "object", "odd event"],
)
def test_a_chunk_that_is_no_text_becomes_one(store: EphemeralStore, frame: Frame, heard: object) -> None:
    chunks: list[object] = []

    Rig(store, saying(frame, RETURN)).run("a", listener=lambda *chunk: chunks.append(chunk))

    assert chunks == [heard]


def test_an_action_is_heard_while_a_mutation_it_runs_is_under_way(store: EphemeralStore) -> None:
    """The mutation ends only once the action was heard; its own chunks are for nobody."""

    def action(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say({**RUN_MUTATION, "call_id": "c_0"})
        else:
            child.say({**chunk("last"), "call_id": "c_0"}, {**RETURN, "call_id": "c_0"})

    def mutation(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say({**chunk("not heard"), "call_id": "c_1"}, {**INSERT, "call_id": "c_1"})
        else:
            child.say({**chunk("meanwhile"), "call_id": "c_0"})

    rig = Rig(store, by_name(a=action, m=mutation))
    chunks: list[str] = []

    def listener(text: str, event: str | None) -> None:
        chunks.append(text)
        if text == "meanwhile":
            assert rig.child.answers()[-1]["call_id"] == "c_1"
            rig.child.say({**RETURN, "call_id": "c_1"})

    rig.run("a", listener=listener)

    assert chunks == ["meanwhile", "last"]
    assert [(trace.fn_name, trace.stream_chunks) for trace in rig.host.traces(2)] == [("a", 2), ("m", 1)]
    assert titles(store) == ["t"]


def test_what_an_action_asks_while_it_waits_is_answered_afterwards(store: EphemeralStore) -> None:
    """Two nested calls at once, and the second one's request arrives during the first."""

    def action(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say(*({**RUN_MUTATION, "op_id": op_id, "call_id": "c_0"} for op_id in ("n1", "n2")))
        elif heard["op_id"] == "n2":
            child.say({**RETURN, "call_id": "c_0"})

    rig = Rig(store, by_name(a=action, m=saying(RETURN)))

    rig.run("a")

    assert [answer["op_id"] for answer in rig.child.answers()] == ["n1", "n2"]


class Stopped(Exception):  # noqa: N818 - what a listener of the test raises
    pass


@pytest.mark.parametrize("error", [Stopped, CallerGone, ConnectionResetError])
def test_a_listener_that_raises_ends_the_call(store: EphemeralStore, error: type[Exception]) -> None:
    rig = Rig(store, saying(INSERT, chunk("x")))

    def listener(text: str, event: str | None) -> None:
        raise error

    with pytest.raises(error):
        rig.run("m", listener=listener)

    rig.has_abandoned("c_0")
    assert titles(store) == []
    assert rig.workers.replaced == 0


@pytest.mark.parametrize("error", [Stopped, CallerGone])
def test_a_listener_that_raises_ends_what_its_action_runs_as_well(
    store: EphemeralStore, error: type[Exception]
) -> None:
    def mutation(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say({**INSERT, "call_id": "c_1"}, {**chunk("x"), "call_id": "c_0"})

    rig = Rig(store, by_name(a=saying(RUN_MUTATION), m=mutation))

    def listener(text: str, event: str | None) -> None:
        raise error

    with pytest.raises(error):
        rig.run("a", listener=listener)

    rig.has_abandoned("c_0", "c_1")
    assert titles(store) == []


def abandons_nested(child: ScriptedChild, heard: Frame) -> None:
    if heard["type"] == "call":
        child.say({**INSERT, "call_id": heard["call_id"]})


@pytest.mark.parametrize(
    ("kind", "script", "calls"),
    [
        ("q", silent, ["c_0"]),
        ("a", silent, ["c_0"]),
        ("m", saying(INSERT), ["c_0"]),
        ("a", by_name(a=saying(RUN_MUTATION), m=abandons_nested), ["c_0", "c_1"]),
    ],
    ids=["query", "action", "mutation", "nested mutation"],
)
def test_a_call_that_nobody_waits_for_any_more_ends(
    store: EphemeralStore, kind: str, script: Script, calls: list[str]
) -> None:
    rig = Rig(store, script)

    with pytest.raises(CallerGone):
        rig.run(kind, is_gone=lambda: True)

    rig.has_abandoned(*calls)
    assert titles(store) == []
    assert rig.workers.replaced == 0
    answers = [answer["op_id"] for answer in rig.child.answers()]
    assert len(answers) == len(set(answers))
    assert rig.host.traces(1)[0].outcome.code == "CALLER_GONE"


def test_a_call_that_is_answered_promptly_asks_nobody(store: EphemeralStore) -> None:
    def never() -> bool:
        raise AssertionError("asked")

    assert Rig(store, saying(INSERT, RETURN)).run("m", is_gone=never) == b"1"


def test_a_caller_who_stays_gets_the_answer(store: EphemeralStore) -> None:
    rig = Rig(store, silent)
    looks: list[None] = []

    def is_gone() -> bool:
        looks.append(None)
        if len(looks) == 2:
            rig.child.say({**RETURN, "call_id": "c_0"})
        return False

    assert rig.run("q", is_gone=is_gone) == b"1"


@pytest.mark.parametrize("kind", ["q", "m", "a"])
def test_a_call_may_have_less_time_than_others(store: EphemeralStore, kind: str) -> None:
    rig = Rig(store, silent)

    with pytest.raises(PylonError) as failed:
        rig.run(kind, timeout_s=0.05)

    assert failed.value.code == "FN_TIMEOUT"
    rig.has_abandoned("c_0")


def test_a_handler_that_streams_without_end_has_an_end(store: EphemeralStore) -> None:
    clock = SetClock()
    child = ScriptedChild(saying(*[chunk("x")] * 10), **KINDS)
    workers = ScriptedWorkers(child)
    host = FunctionHost(MANIFEST, store, workers, clock, 3.0)

    with pytest.raises(PylonError) as failed:
        host.run(Invocation("q", {}, ANONYMOUS, listener=lambda *_: clock.pass_a_second()))

    assert failed.value.code == "FN_TIMEOUT"
    assert host.traces(1)[0].stream_chunks == 3


class RunningClock(SetClock):
    """Goes on by a little each time it is looked at."""

    def monotonic(self) -> float:
        self.seconds += 0.01
        return self.seconds


def test_nor_does_one_that_nobody_listens_to(store: EphemeralStore) -> None:
    child = ScriptedChild(saying(*[chunk("x")] * 1000), **KINDS)
    workers = ScriptedWorkers(child)
    host = FunctionHost(MANIFEST, store, workers, RunningClock(), 3.0)

    with pytest.raises(PylonError) as failed:
        host.run(Invocation("q", {}, ANONYMOUS))

    assert (failed.value.code, workers.replaced) == ("FN_TIMEOUT", 1)
    assert 0 < host.traces(1)[0].stream_chunks < 1000


class SlowReads:
    """A store that takes a second for each read."""

    def __init__(self, store: EphemeralStore, clock: SetClock) -> None:
        self._store = store
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def read(self) -> Iterator[Any]:
        with self._store.read() as reader:
            yield SlowReader(reader, self._clock.pass_a_second)


class SlowReader:
    def __init__(self, reader: Reader, delay: Callable[[], None]) -> None:
        self._reader = reader
        self._delay = delay

    def get(self, entity: str, row_id: str) -> Any:
        self._delay()
        return self._reader.get(entity, row_id)


def test_the_databases_time_counts_and_is_not_the_childs_fault(store: EphemeralStore) -> None:
    clock = SetClock()
    get: Frame = {"type": "db", "op_id": "1", "op": "get", "entity": "Lot", "id": "x"}
    child = ScriptedChild(saying(*[get] * 5), **KINDS)
    workers = ScriptedWorkers(child)
    slow: Any = SlowReads(store, clock)

    with pytest.raises(PylonError) as failed:
        FunctionHost(MANIFEST, slow, workers, clock, 2.5).run(Invocation("q", {}, ANONYMOUS))

    assert (failed.value.code, failed.value.status) == ("FN_TIMEOUT", 504)
    until(lambda: child.abandoned() == ["c_0"], "the child was told")
    assert workers.replaced == 0
    assert ["data" in answer for answer in child.answers()] == [True, True, False, False, False]


def test_a_mailbox_holds_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "BYTES_MAX", 100)
    mailbox = Mailbox()
    frame = Stream("c", "x")

    assert [mailbox.offer(frame, 60) for _ in range(3)] == [True, True, False]
    mailbox.take()
    assert mailbox.offer(frame, 60)
