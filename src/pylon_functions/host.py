"""The face of server functions: call one by name, see which there are and what became of the last calls.

Any thread may call it. The calling thread waits for its function and does its database work; what stands
between it and the child processes is the ``Workers`` that the composition root gives.
"""

import msgspec

from pylon_core.clock import Clock
from pylon_core.manifest import AppManifest
from pylon_functions.as_user import Guard
from pylon_functions.calls import Calls
from pylon_functions.invocation import Invocation, Origin
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_functions.serving import Serving
from pylon_functions.traces import CallTrace, Traces
from pylon_functions.workers import Workers
from pylon_http import DataStore


class FunctionHost:
    """``guard`` gives the rows that users may see and write; without one no function may act as its caller."""

    def __init__(
        self,
        manifest: AppManifest,
        store: DataStore,
        workers: Workers,
        clock: Clock,
        call_timeout_s: float,
        *,
        guard: Guard | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._call_timeout_s = call_timeout_s
        self._traces = Traces() if traces is None else traces
        self._calls = Calls(workers, Serving(manifest, store, clock, guard), self._traces, clock)

    def definitions(self) -> list[FunctionDefinition]:
        """Every function that may be called, by name; internal ones too."""
        return [function for function in self._all() if function.fn_type is not FunctionKind.WORKFLOW]

    def workflows(self) -> list[FunctionDefinition]:
        """Every workflow, by name; called with ``kind=FunctionKind.WORKFLOW``."""
        return [function for function in self._all() if function.fn_type is FunctionKind.WORKFLOW]

    def find(
        self, name: str, kind: FunctionKind | None = None, origin: Origin = Origin.OUTSIDE
    ) -> FunctionDefinition:
        """The function that a call of that ``kind`` would run; ``None``: anything but a workflow.

        Raises FUNCTIONS_NOT_AVAILABLE, RUNNER_NOT_STARTED, FN_NOT_FOUND, FN_TYPE_MISMATCH.
        """
        return self._calls.find(name, kind, origin, self._clock.monotonic() + self._call_timeout_s)

    def run(self, invocation: Invocation) -> msgspec.Raw:
        """Call a function and return its value as JSON text.

        Raises PylonError: FUNCTIONS_NOT_AVAILABLE and RUNNER_NOT_STARTED 503, FN_NOT_FOUND 404, INVALID_ARGS and
        every code a handler throws 400, FN_TIMEOUT 504, RUNNER_EXITED 502, ``CallerGone`` when nobody wants the
        answer any more, ``JobLost``; and whatever a listener raises.
        """
        timeout_s = self._call_timeout_s if invocation.timeout_s is None else invocation.timeout_s
        return self._calls.run(invocation, self._clock.monotonic() + timeout_s)

    def traces(self, limit: int) -> list[CallTrace]:
        """The calls that ended last, newest first."""
        return self._traces.newest(limit)

    def _all(self) -> list[FunctionDefinition]:
        registry = self._workers.registry()
        return [registry[name] for name in sorted(registry)]
