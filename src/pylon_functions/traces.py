"""What became of the last calls: one trace for each that ended, nested ones and crashes too (contract 07 §11).

A call writes its own ``Trace`` while it runs; when it has ended that goes into ``Traces``, a ring bounded in
number and bytes, whose lock guards the ring. What functions return is somebody's data, so it is kept only where
that was allowed, and only when it is small.
"""

import threading
from collections import deque
from itertools import islice
from types import TracebackType
from typing import Any

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions.protocol import Database, Schedule
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_http import RerunRefused

TRACES_MAX = 1000
TRACES_BYTES_MAX = 4 * 1024 * 1024
VALUE_BYTES_MAX = 2048
"""What is small, where values are kept."""
OPERATIONS_MAX = 200
"""Of one call; later ones are only counted."""
TEXT_CHARS_MAX = 200

_TRACE_BYTES = 800
_PART_BYTES = 400


class TracedOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """``status`` is ``ok``, ``error``, or ``rolled_back`` for a mutation that was begun anew."""

    status: str
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: str | None = None
    message: str | None = None


class TracedOperation(msgspec.Struct, frozen=True):
    op: str
    entity: str
    id: str | msgspec.UnsetType
    duration_ms: float
    row_count: int | msgspec.UnsetType
    ok: bool


class TracedSchedule(msgspec.Struct, frozen=True):
    fn_name: str
    delay_ms: float | msgspec.UnsetType = msgspec.UNSET
    run_at: float | msgspec.UnsetType = msgspec.UNSET


class CallTrace(msgspec.Struct, frozen=True):
    """One call as ``GET /api/fn/traces`` shows it."""

    call_id: str
    fn_name: str
    fn_type: FunctionKind
    user_id: str | None
    started_at: int
    duration_ms: float
    outcome: TracedOutcome
    ops: list[TracedOperation]
    stream_bytes: int
    stream_chunks: int
    schedules: list[TracedSchedule]
    ops_omitted: int | msgspec.UnsetType = msgspec.UNSET


class Trace:
    """Of one call: written while it runs, by one thread at a time, and a context for that time; then read."""

    __slots__ = (
        "_begun",
        "_call_id",
        "_clock",
        "_duration_s",
        "_function",
        "_omitted",
        "_operations",
        "_outcome",
        "_ring",
        "_schedules",
        "_started_ns",
        "_stream_bytes",
        "_stream_chunks",
        "_user_id",
        "size",
    )

    def __init__(
        self, ring: "Traces", clock: Clock, call_id: str, function: FunctionDefinition, user_id: str | None
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._call_id = call_id
        self._function = function
        self._user_id = user_id
        self._operations: list[TracedOperation] = []
        self._omitted = 0
        self._schedules: list[TracedSchedule] = []
        self._stream_bytes = 0
        self._stream_chunks = 0
        self._outcome = _OK
        self._duration_s = 0.0
        self.size = _TRACE_BYTES
        """About as many bytes as it takes."""

    def __enter__(self) -> "Trace":
        self._started_ns = self._clock.now_ns()
        self._begun = self._clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._duration_s = self._clock.monotonic() - self._begun
        if error is not None:
            self._outcome = _failed(error)
        self.size += _PART_BYTES * (len(self._operations) + len(self._schedules))
        self._ring.add(self)

    def returned(self, value: msgspec.Raw) -> None:
        limit = self._ring.value_bytes_max
        if limit and memoryview(value).nbytes <= limit:
            self._outcome = TracedOutcome("ok", value.copy())
            self.size += memoryview(value).nbytes

    def operated(self, frame: Database, seconds: float, data: Any) -> None:
        """An operation was done; ``data`` is its answer."""
        if len(self._operations) < OPERATIONS_MAX:
            op, row_id = frame.op, frame.id
            if row_id is None:
                row_id = msgspec.UNSET
            elif type(row_id) is not str or len(row_id) > TEXT_CHARS_MAX:
                row_id = _text(row_id)
            # An operation that could be done is one of those there are; its entity need not be.
            entity = frame.entity if len(frame.entity) <= TEXT_CHARS_MAX else _text(frame.entity)
            rows = _row_count(op, data)
            self._operations.append(TracedOperation(op, entity, row_id, 1000 * seconds, rows, ok=True))
        else:
            self._omitted += 1

    def failed(self, frame: Database, seconds: float) -> None:
        """An operation was refused, whatever it was."""
        if len(self._operations) < OPERATIONS_MAX:
            row_id = msgspec.UNSET if frame.id is None else _text(frame.id)
            operation = TracedOperation(
                _text(frame.op), _text(frame.entity), row_id, 1000 * seconds, msgspec.UNSET, ok=False
            )
            self._operations.append(operation)
        else:
            self._omitted += 1

    def streamed(self, text: str) -> None:
        self._stream_chunks += 1
        self._stream_bytes += len(text) if text.isascii() else len(text.encode())

    def scheduled(self, frame: Schedule) -> None:
        if len(self._schedules) < OPERATIONS_MAX:
            times = (_number(frame.delay_ms), _number(frame.run_at))
            self._schedules.append(TracedSchedule(_text(frame.fn_name), *times))

    def told(self) -> CallTrace:
        return CallTrace(
            self._call_id,
            self._function.name,
            self._function.fn_type,
            self._user_id,
            self._started_ns // 1_000_000,
            _milliseconds(self._duration_s),
            self._outcome,
            [_rounded(operation) for operation in self._operations],
            self._stream_bytes,
            self._stream_chunks,
            self._schedules,
            self._omitted or msgspec.UNSET,
        )


class Traces:
    """The newest traces. ``value_bytes_max`` is how large a returned value may be to be kept; 0: none is. Any
    thread may call it."""

    def __init__(self, *, value_bytes_max: int = 0) -> None:
        self.value_bytes_max = value_bytes_max
        self._lock = threading.Lock()
        self._ring: deque[Trace] = deque()
        self._bytes = 0

    def add(self, trace: Trace) -> None:
        with self._lock:
            ring = self._ring
            ring.append(trace)
            self._bytes += trace.size
            while len(ring) > TRACES_MAX or self._bytes > TRACES_BYTES_MAX:
                self._bytes -= ring.popleft().size

    def newest(self, limit: int) -> list[CallTrace]:
        """Newest first."""
        with self._lock:
            newest = list(islice(reversed(self._ring), max(0, limit)))
        return [trace.told() for trace in newest]


_OK = TracedOutcome("ok")


def _failed(error: BaseException) -> TracedOutcome:
    if isinstance(error, RerunRefused):
        return TracedOutcome("rolled_back")
    if isinstance(error, PylonError):
        return TracedOutcome("error", code=_text(error.code), message=_text(error.message))
    return TracedOutcome("error", code="INTERNAL", message=type(error).__name__)


def _row_count(op: Any, data: Any) -> int | msgspec.UnsetType:
    if isinstance(data, list):
        return len(data)
    match op:
        case "get" | "lookup":
            return 0 if data is None else 1
        case "paginate":
            return len(data["page"])
        case "search":
            return len(data["hits"])
    return msgspec.UNSET


def _text(value: Any) -> str:
    """What a handler sent where a text belongs, not too much of it."""
    return value[:TEXT_CHARS_MAX] if isinstance(value, str) else ""


def _number(value: Any) -> float | msgspec.UnsetType:
    return value if isinstance(value, int | float) else msgspec.UNSET


def _rounded(operation: TracedOperation) -> TracedOperation:
    return msgspec.structs.replace(operation, duration_ms=round(operation.duration_ms, 3))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
