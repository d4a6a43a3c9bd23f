"""The host's side of a call, against children that say exactly what the test wants, however hostile."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.calls import ATTEMPTS_MAX
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_functions.mailbox import FRAMES_MAX
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_http import DataStore, Filter, TxStore
from pylon_storage import EphemeralStore
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import (
    Frame,
    ScriptedChild,
    ScriptedWorkers,
    dying,
    saying,
    silent,
    stepwise,
)
from tests.pylon_functions.set_clock import SetClock
from tests.support.waiting import until

KINDS = {"q": "query", "m": "mutation", "a": "action", "w": "workflow"}
RETURN: Frame = {"type": "return", "value": 1}
INSERT: Frame = {"type": "db", "op_id": "1", "op": "insert", "entity": "Lot", "data": {"title": "t"}}
GET: Frame = {"type": "db", "op_id": "1", "op": "get", "entity": "Lot", "id": "none"}
T = TypeVar("T")


class Reordering:
    """A store that wants transactions again, so many times, as a database with concurrent ones does."""

    def __init__(self, store: EphemeralStore, reruns: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._meanwhile = meanwhile
        self.reruns_left = reruns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transact(self, work: Callable[[TxStore], T]) -> T:
        if not self.reruns_left:
            return self._store.transact(work)
        self.reruns_left -= 1
        with suppress(Reordered):
            self._store.transact(lambda tx: self._undone(tx, work))
        self._meanwhile()
        return self._store.transact(work)

    def _undone(self, tx: TxStore, work: Callable[[TxStore], Any]) -> None:
        work(tx)
        raise Reordered


class Reordered(Exception):  # noqa: N818 - a fact, undoing what was done
    pass


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    opened = EphemeralStore(MANIFEST, watched={"Lot": frozenset()})
    yield opened
    opened.close()


def host_of(store: DataStore, *children: ScriptedChild, timeout_s: float = 5.0) -> FunctionHost:
    return FunctionHost(MANIFEST, store, ScriptedWorkers(*children), SystemClock(), timeout_s)


def call(host: FunctionHost, name: str) -> Any:
    return jsontext.decode(bytes(host.run(Invocation(name, {}, ANONYMOUS))))


def titles(store: EphemeralStore) -> list[str]:
    with store.read() as reader:
        return [row["title"] for row in reader.query("Lot", Filter())]


def test_the_call_frame_says_who_calls_what(store: EphemeralStore) -> None:
    child = ScriptedChild(saying(RETURN), **KINDS)

    call(host_of(store, child), "m")

    assert child.heard == [
        {
            "type": "call",
            "call_id": "c_0",
            "fn_name": "m",
            "fn_type": "mutation",
            "args": {},
            "auth": {"is_admin": False},
        }
    ]


def test_an_answer_carries_the_op_id_only_when_the_request_had_one(store: EphemeralStore) -> None:
    without = {key: value for key, value in GET.items() if key != "op_id"}
    child = ScriptedChild(saying({**GET, "op_id": "x#1"}, without, RETURN), **KINDS)

    call(host_of(store, child), "q")

    until(lambda: len(child.answers()) == 2, "both were answered")
    assert child.answers() == [
        {"type": "result", "call_id": "c_0", "data": None, "op_id": "x#1"},
        {"type": "result", "call_id": "c_0", "data": None},
    ]


def test_frames_after_the_return_are_ignored(store: EphemeralStore) -> None:
    child = ScriptedChild(saying(RETURN, INSERT), **KINDS)
    host = host_of(store, child)

    assert call(host, "m") == 1
    assert call(host, "m") == 1

    assert child.answers() == []
    assert titles(store) == []


def test_lines_that_are_no_frames_are_skipped(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.write(b'\n\nhello\n{"type":"ready","functions":[]}\n{"call_id":5}\n[]\n\xff\xfe\n')
            child.say({**RETURN, "call_id": heard["call_id"]})

    assert call(host_of(store, ScriptedChild(script, **KINDS)), "q") == 1


@pytest.mark.parametrize(
    ("kind", "frame", "code"),
    [
        ("q", INSERT, "NOT_SUPPORTED"),
        ("q", {**GET, "op": "update"}, "NOT_SUPPORTED"),
        ("q", {"type": "run_fn", "fn_name": "m", "fn_type": "mutation"}, "NOT_SUPPORTED"),
        ("q", {"type": "schedule", "fn_name": "m"}, "NOT_SUPPORTED"),
        ("m", {"type": "run_fn", "fn_name": "m", "fn_type": "mutation"}, "NESTED_MUTATION"),
        ("m", {**GET, "op": "transact"}, "NESTED_TRANSACTION"),
        ("m", {**GET, "op": ["get"]}, "NOT_SUPPORTED"),
        ("m", {"type": "schedule", "delay_ms": -1.5}, "SCHEDULE_FAILED"),
        ("m", {**INSERT, "as": "root"}, "INVALID_DATA"),
        ("m", {**INSERT, "as": "user"}, "NOT_SUPPORTED"),
        ("q", {"type": "cancel_schedule", "schedule_id": "job_1"}, "NOT_SUPPORTED"),
        ("a", GET, "NOT_SUPPORTED"),
        ("a", INSERT, "NOT_SUPPORTED"),
        ("a", {"type": "run_fn", "fn_name": "q"}, "FN_TYPE_MISMATCH"),
        ("a", {"type": "run_fn", "fn_name": "q", "fn_type": ["query"]}, "FN_TYPE_MISMATCH"),
        ("a", {"type": "run_fn", "fn_name": "q", "fn_type": "mutation"}, "FN_TYPE_MISMATCH"),
        ("a", {"type": "run_fn", "fn_name": "w", "fn_type": "workflow"}, "FN_TYPE_MISMATCH"),
        ("a", {"type": "run_fn", "fn_name": "w", "fn_type": "query"}, "FN_TYPE_MISMATCH"),
        ("a", {"type": "run_fn", "fn_name": ["q"], "fn_type": "query"}, "FN_NOT_FOUND"),
        ("a", {**GET, "as": "user"}, "NOT_SUPPORTED"),
        ("w", GET, "NOT_SUPPORTED"),
        ("a", {"type": "run_fn", "fn_name": "a", "fn_type": "action"}, "FN_TYPE_MISMATCH"),
        ("a", {"type": "schedule"}, "SCHEDULE_FAILED"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.get("op", value["type"])),
)
def test_a_kind_may_do_only_what_it_may(store: EphemeralStore, kind: str, frame: Frame, code: str) -> None:
    child = ScriptedChild(saying(frame, RETURN), **KINDS)

    kinds = {"w": FunctionKind.WORKFLOW}
    host_of(store, child).run(Invocation(kind, {}, ANONYMOUS, kind=kinds.get(kind)))

    until(lambda: len(child.answers()) == 1, "it was answered")
    assert child.answers()[0]["error"]["code"] == code
    assert titles(store) == []


def test_a_query_reads_one_state_throughout(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        listing = {"type": "db", "call_id": heard["call_id"], "op_id": "1", "op": "list", "entity": "Lot"}
        if len(child.heard) < 3:
            child.say(listing)
        else:
            child.say({**RETURN, "call_id": heard["call_id"]})
        if len(child.heard) == 2:
            store.transact(lambda tx: tx.insert("Lot", {"title": "later"}))

    child = ScriptedChild(script, **KINDS)

    call(host_of(store, child), "q")

    assert [answer["data"] for answer in child.answers()] == [[], []]
    assert titles(store) == ["later"]


def test_a_mutation_that_touches_nothing_needs_no_transaction(store: EphemeralStore) -> None:
    host = host_of(store, ScriptedChild(saying(RETURN), **KINDS))

    assert store.transact(lambda _tx: call(host, "m")) == 1


@pytest.mark.parametrize("kind", ["q", "m", "a"])
def test_a_silent_handler_times_out_and_its_child_is_replaced(store: EphemeralStore, kind: str) -> None:
    child = ScriptedChild(silent, **KINDS)
    workers = ScriptedWorkers(child)

    with pytest.raises(PylonError) as failed:
        FunctionHost(MANIFEST, store, workers, SystemClock(), 0.05).run(Invocation(kind, {}, ANONYMOUS))

    assert (failed.value.code, failed.value.status) == ("FN_TIMEOUT", 504)
    assert workers.replaced == 1


def test_a_mutation_that_times_out_leaves_nothing(store: EphemeralStore) -> None:
    host = host_of(store, ScriptedChild(saying(INSERT), **KINDS), timeout_s=0.1)

    with pytest.raises(PylonError) as failed:
        call(host, "m")

    assert failed.value.code == "FN_TIMEOUT"
    assert titles(store) == []


@pytest.mark.parametrize("kind", ["q", "m"])
def test_a_call_whose_child_died_is_run_once_more(store: EphemeralStore, kind: str) -> None:
    host = host_of(store, ScriptedChild(dying, **KINDS), ScriptedChild(saying(RETURN), **KINDS))

    assert call(host, kind) == 1


def test_a_mutation_that_wrote_before_its_child_died_writes_once(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say({**INSERT, "call_id": heard["call_id"]})
        else:
            child.die()

    first = ScriptedChild(script, **KINDS)
    host = host_of(store, first, ScriptedChild(stepwise(INSERT, RETURN), **KINDS))

    assert call(host, "m") == 1

    assert "data" in first.answers()[0]
    assert titles(store) == ["t"]


@pytest.mark.parametrize(
    ("kind", "children"), [("a", [dying, saying(RETURN)]), ("q", [dying, dying]), ("m", [dying, dying])]
)
def test_a_lost_action_and_a_call_lost_twice_are_given_up(
    store: EphemeralStore, kind: str, children: list[Any]
) -> None:
    host = host_of(store, *(ScriptedChild(script, **KINDS) for script in children))

    with pytest.raises(PylonError) as failed:
        call(host, kind)

    assert (failed.value.code, failed.value.status) == ("RUNNER_EXITED", 502)


def test_an_actions_nested_call_shares_its_deadline(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard.get("fn_name") == "a":
            child.say({"type": "run_fn", "fn_name": "q", "fn_type": "query", "call_id": heard["call_id"]})

    workers = ScriptedWorkers(ScriptedChild(script, **KINDS))

    with pytest.raises(PylonError) as failed:
        FunctionHost(MANIFEST, store, workers, SystemClock(), 0.1).run(Invocation("a", {}, ANONYMOUS))

    assert failed.value.code == "FN_TIMEOUT"
    assert [frame["fn_name"] for frame in workers.current.heard if frame["type"] == "call"] == ["a", "q"]
    assert workers.replaced == 1


def test_a_handler_that_floods_the_host_is_ended(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say(*([{**GET, "op": "list", "call_id": heard["call_id"]}] * (FRAMES_MAX * 2)))

    with store.read(), pytest.raises(PylonError) as failed:
        call(host_of(store, ScriptedChild(script, **KINDS)), "q")

    assert failed.value.code == "PROTOCOL_ERROR"


@pytest.mark.parametrize(
    ("frame", "code", "message"),
    [
        ({"type": "error", "code": "X", "message": "y"}, "X", "y"),
        ({"type": "error", "code": 5, "message": None}, "HANDLER_ERROR", "Internal handler error"),
        ({"type": "error"}, "HANDLER_ERROR", "Internal handler error"),
    ],
    ids=["proper", "wrong types", "empty"],
)
def test_a_handlers_error_reaches_the_caller(store: EphemeralStore, frame: Frame, code: str, message: str) -> None:
    with pytest.raises(PylonError) as failed:
        call(host_of(store, ScriptedChild(saying(INSERT, frame), **KINDS)), "m")

    assert (failed.value.code, failed.value.message, failed.value.status) == (code, message, 400)
    assert titles(store) == []


def test_a_retiring_child_finishes_its_calls_and_then_closes(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        child.runner.retire()
        assert not child.is_closed
        child.say({**RETURN, "call_id": heard["call_id"]})

    child = ScriptedChild(script, **KINDS)

    assert call(host_of(store, child), "q") == 1
    assert child.is_closed


def test_a_mutation_that_has_to_be_done_again_is_called_again(store: EphemeralStore) -> None:
    child = ScriptedChild(stepwise(INSERT, RETURN), **KINDS)

    host = host_of(Reordering(store, 2), child)

    assert call(host, "m") == 1

    assert [frame["call_id"] for frame in child.heard if frame["type"] == "call"] == ["c_0", "c_1", "c_2"]
    assert titles(store) == ["t"]
    assert [trace.outcome.status for trace in host.traces(9)] == ["ok", "rolled_back", "rolled_back"]


def test_an_actions_mutation_is_called_again_without_the_action(store: EphemeralStore) -> None:
    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard.get("fn_name") == "a":
            child.say({"type": "run_fn", "fn_name": "m", "fn_type": "mutation", "call_id": heard["call_id"]})
        elif heard["type"] == "call":
            child.say({**INSERT, "call_id": heard["call_id"]}, {**RETURN, "call_id": heard["call_id"]})
        elif heard["call_id"] == "c_0":
            child.say({**RETURN, "call_id": "c_0"})

    child = ScriptedChild(script, **KINDS)

    assert call(host_of(Reordering(store, 2), child), "a") == 1

    assert [frame["fn_name"] for frame in child.heard if frame["type"] == "call"] == ["a", "m", "m", "m"]
    assert titles(store) == ["t"]


def test_a_mutation_that_never_gets_past_the_others_is_refused(store: EphemeralStore) -> None:
    child = ScriptedChild(stepwise(INSERT, RETURN), **KINDS)

    with pytest.raises(PylonError) as failed:
        call(host_of(Reordering(store, ATTEMPTS_MAX), child), "m")

    assert (failed.value.code, failed.value.status) == ("CONFLICT", 409)
    assert titles(store) == []


def test_a_call_begins_nothing_anew_behind_its_deadline(store: EphemeralStore) -> None:
    clock = SetClock()
    child = ScriptedChild(stepwise(INSERT, RETURN), **KINDS)
    reordering = Reordering(store, ATTEMPTS_MAX, meanwhile=clock.pass_a_second)

    with pytest.raises(PylonError) as failed:
        call(FunctionHost(MANIFEST, reordering, ScriptedWorkers(child), clock, 3.0), "m")

    assert failed.value.code == "CONFLICT"
    assert sum(frame["type"] == "call" for frame in child.heard) == 3


def test_a_call_that_is_given_up_leaves_no_handler_waiting(store: EphemeralStore) -> None:
    """The database goes away while a handler waits for three things."""
    asked = [{**GET, "op_id": f"x#{number}"} for number in range(3)]
    child = ScriptedChild(saying(*asked), **KINDS)
    host = host_of(store, child)
    store.close()

    with pytest.raises(PylonError) as failed:
        call(host, "m")

    assert failed.value.code == "NOT_AVAILABLE"
    until(lambda: len(child.heard) == 5, "everything was said")
    assert [answer["op_id"] for answer in child.answers()] == ["x#0", "x#1", "x#2"]
    assert all(answer["error"]["code"] == "NOT_AVAILABLE" for answer in child.answers())
    assert child.heard[-1] == {"type": "abandon", "call_id": "c_0"}


def test_a_handler_that_ended_by_itself_is_told_nothing_more(store: EphemeralStore) -> None:
    child = ScriptedChild(saying(INSERT, {"type": "error", "code": "X", "message": "y"}), **KINDS)

    with pytest.raises(PylonError):
        call(host_of(store, child), "m")

    until(lambda: len(child.heard) == 2, "its insert was answered")
    assert [frame["type"] for frame in child.heard] == ["call", "result"]


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("q", FunctionKind.QUERY, None),
        ("q", FunctionKind.ACTION, "FN_TYPE_MISMATCH"),
        ("w", FunctionKind.WORKFLOW, None),
        ("w", FunctionKind.ACTION, "FN_TYPE_MISMATCH"),
        ("w", None, "FN_NOT_FOUND"),
        ("nope", FunctionKind.QUERY, "FN_NOT_FOUND"),
    ],
)
def test_a_call_may_ask_for_a_kind_and_only_so_gets_a_workflow(
    store: EphemeralStore, name: str, kind: FunctionKind | None, code: str | None
) -> None:
    host = host_of(store, ScriptedChild(saying(RETURN), **KINDS))

    if code is None:
        assert bytes(host.run(Invocation(name, {}, ANONYMOUS, kind=kind))) == b"1"
        return
    with pytest.raises(PylonError) as refused:
        host.run(Invocation(name, {}, ANONYMOUS, kind=kind))
    assert refused.value.code == code


def test_workflows_are_listed_and_found_apart_from_functions(store: EphemeralStore) -> None:
    host = host_of(store, ScriptedChild(saying(RETURN), **KINDS))

    assert [definition.name for definition in host.definitions()] == ["a", "m", "q"]
    assert host.workflows() == [FunctionDefinition("w", FunctionKind.WORKFLOW)]
    assert host.find("q") == FunctionDefinition("q", FunctionKind.QUERY)
    for name in ("w", "nope"):
        with pytest.raises(PylonError) as missing:
            host.find(name)
        assert (missing.value.code, missing.value.status) == ("FN_NOT_FOUND", 404)
