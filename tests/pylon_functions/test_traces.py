"""What is remembered of calls that ended (contract 07 §11)."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from pylon_auth.context import AuthContext
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_functions.protocol import Database
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_functions.traces import OPERATIONS_MAX, TRACES_BYTES_MAX, TRACES_MAX, Trace, Traces
from pylon_storage import EphemeralStore
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import (
    Frame,
    Script,
    ScriptedChild,
    ScriptedWorkers,
    by_name,
    dying,
    saying,
    silent,
)
from tests.pylon_functions.set_clock import SetClock

KINDS = {"q": "query", "m": "mutation", "a": "action"}


def database(op: str, **operands: Any) -> Frame:
    return {"type": "db", "op_id": "1", "op": op, "entity": "Lot", **operands}


def returning(value: object) -> Frame:
    return {"type": "return", "value": value}


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    opened = EphemeralStore(MANIFEST, watched={"Lot": frozenset()})
    opened.transact(lambda tx: [tx.insert("Lot", {"title": title}, title) for title in "abc"])
    yield opened
    opened.close()


def traces_of(
    store: EphemeralStore, *children: Script, name: str = "m", traces: Traces | None = None, timeout_s: float = 5.0
) -> list[Any]:
    """Call a function; the traces as JSON, newest first."""
    workers = ScriptedWorkers(*(ScriptedChild(script, **KINDS) for script in children))
    host = FunctionHost(MANIFEST, store, workers, SystemClock(), timeout_s, traces=traces)
    with suppress(PylonError):
        host.run(Invocation(name, {}, AuthContext("u9")))
    found: list[Any] = jsontext.decode(jsontext.encode(host.traces(50)))
    return found


def test_a_trace_tells_what_a_call_did(store: EphemeralStore) -> None:
    schedule: Frame = {"type": "schedule", "op_id": "2", "fn_name": "closeLot", "delay_ms": 5000}
    chunk: Frame = {"type": "stream", "data": "é!"}
    script = saying(database("get", id="a"), chunk, schedule, chunk, returning({"accepted": True}))

    (trace,) = traces_of(store, script)

    assert trace.pop("started_at") > 1_700_000_000_000
    assert trace.pop("duration_ms") >= trace["ops"][0].pop("duration_ms") >= 0
    assert trace == {
        "call_id": "c_0",
        "fn_name": "m",
        "fn_type": "mutation",
        "user_id": "u9",
        "outcome": {"status": "ok"},
        "ops": [{"op": "get", "entity": "Lot", "id": "a", "row_count": 1, "ok": True}],
        "stream_bytes": 6,
        "stream_chunks": 2,
        "schedules": [{"fn_name": "closeLot", "delay_ms": 5000}],
    }


@pytest.mark.parametrize(
    ("frame", "rows"),
    [
        (database("get", id="none"), 0),
        (database("lookup", field="title", value="b"), 1),
        (database("lookup", field="title", value="z"), 0),
        (database("list"), 3),
        (database("query", data={"$limit": 2}), 2),
        (database("paginate", limit=2), 2),
        (database("search", entity="Book", data={}), 0),
        (database("insert", data={"title": "d"}), None),
        (database("update", id="a", data={"price": 1}), None),
    ],
    ids=lambda value: str(value.get("op")) if isinstance(value, dict) else str(value),
)
def test_an_operation_counts_its_rows(store: EphemeralStore, frame: Frame, rows: int | None) -> None:
    (trace,) = traces_of(store, saying(frame, returning(None)))

    assert [(op["ok"], op.get("row_count")) for op in trace["ops"]] == [(True, rows)]


def test_an_operation_that_failed_says_so(store: EphemeralStore) -> None:
    (trace,) = traces_of(store, saying(database("get", entity={}, id={}), returning(None)))

    (operation,) = trace["ops"]
    assert (operation["ok"], operation["entity"], operation["id"]) == (False, "", "")


@pytest.mark.parametrize(
    ("children", "outcome"),
    [
        ([saying({"type": "error", "code": "X", "message": "y"})], {"code": "X", "message": "y"}),
        ([dying, dying], {"code": "RUNNER_EXITED"}),
        ([silent], {"code": "FN_TIMEOUT"}),
    ],
    ids=["error", "crash", "timeout"],
)
def test_a_call_that_failed_has_a_trace(
    store: EphemeralStore, children: list[Script], outcome: dict[str, str]
) -> None:
    newest = traces_of(store, *children, timeout_s=0.2 if children == [silent] else 5.0)[0]

    assert newest["outcome"].items() >= {"status": "error", **outcome}.items()


def test_a_call_that_was_run_twice_has_two_traces(store: EphemeralStore) -> None:
    found = traces_of(store, dying, saying(returning(1)))

    assert [trace["outcome"]["status"] for trace in found] == ["ok", "error"]


def test_a_nested_call_has_a_trace_of_its_own_which_ends_first(store: EphemeralStore) -> None:
    def action(child: ScriptedChild, heard: Frame) -> None:
        run: Frame = {"type": "run_fn", "op_id": "n", "fn_name": "q", "fn_type": "query"}
        child.say({**(run if heard["type"] == "call" else returning(1)), "call_id": heard["call_id"]})

    found = traces_of(store, by_name(a=action, q=saying(returning(2))), name="a")

    assert [(trace["fn_name"], trace["call_id"]) for trace in found] == [("a", "c_0"), ("q", "c_1")]


@pytest.mark.parametrize(
    ("value_bytes_max", "value", "kept"),
    [(0, {"a": 1}, False), (2048, {"a": 1}, True), (2048, None, True), (2048, "x" * 3000, False)],
    ids=["never", "small", "null", "large"],
)
def test_a_value_is_kept_where_that_was_allowed_and_when_it_is_small(
    store: EphemeralStore, value_bytes_max: int, value: object, kept: bool
) -> None:
    traces = Traces(value_bytes_max=value_bytes_max)

    (trace,) = traces_of(store, saying(returning(value)), traces=traces)

    assert trace["outcome"] == ({"status": "ok", "value": value} if kept else {"status": "ok"})


def test_only_so_many_operations_are_told(store: EphemeralStore) -> None:
    (trace,) = traces_of(store, saying(*[database("get", id="a")] * (OPERATIONS_MAX + 3), returning(None)))

    assert (len(trace["ops"]), trace["ops_omitted"]) == (OPERATIONS_MAX, 3)


def add(traces: Traces, number: int, value: bytes = b"1") -> None:
    with Trace(traces, SetClock(), f"c_{number}", FunctionDefinition("f", FunctionKind.QUERY), None) as trace:
        trace.returned(msgspec.Raw(value))


def test_the_oldest_traces_go_and_the_newest_come_first() -> None:
    traces = Traces()

    for number in range(TRACES_MAX + 1):
        add(traces, number)

    assert [trace.call_id for trace in traces.newest(2)] == [f"c_{TRACES_MAX}", f"c_{TRACES_MAX - 1}"]
    assert len(traces.newest(5000)) == TRACES_MAX
    assert traces.newest(5000)[-1].call_id == "c_1"
    assert traces.newest(0) == traces.newest(-1) == []


def test_traces_together_take_only_so_much() -> None:
    traces = Traces(value_bytes_max=TRACES_BYTES_MAX)

    for number in range(100):
        add(traces, number, b"1" * (TRACES_BYTES_MAX // 10))

    assert 5 <= len(traces.newest(100)) <= 10
    assert traces.newest(1)[0].call_id == "c_99"


@pytest.mark.parametrize("is_done", [True, False])
def test_what_handlers_send_is_kept_cut_off(is_done: bool) -> None:
    ring = Traces()
    frame = Database("c", "insert" if is_done else "x" * 5000, entity="y" * 5000, id="z" * 5000)

    with Trace(ring, SetClock(), "c", FunctionDefinition("f", FunctionKind.QUERY), None) as trace:
        if is_done:
            trace.operated(frame, 0.0, {})
        else:
            trace.failed(frame, 0.0)

    (operation,) = ring.newest(1)[0].ops
    assert all(len(str(text)) <= 200 for text in (operation.op, operation.entity, operation.id))
