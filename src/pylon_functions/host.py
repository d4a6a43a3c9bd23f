"""The face of server functions: call one by name.

Any thread may call it. The calling thread waits for its function and does its database work; what stands
between it and the child process is the ``Workers`` that the composition root gives.
"""

from typing import Any, Protocol

import msgspec

from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_functions.calls import Calls
from pylon_functions.registry import FunctionDefinition, FunctionKind, Registry
from pylon_functions.runner import CallTimedOut, Runner, RunnerClosed, RunnerLost
from pylon_http import DataStore


class Workers(Protocol):
    """The child processes, kept alive by somebody else. Any thread may call it."""

    def pick(self, deadline: float) -> Runner:
        """The open runner with the fewest calls; waits for one that is just starting.

        Raises PylonError FUNCTIONS_NOT_AVAILABLE (503) when there can be none, saying what to do about it, and
        RUNNER_NOT_STARTED (503) when none came up again in time.
        """

    def replace(self, runner: Runner) -> None:
        """A handler of this one did not answer in time: put another in its place, at once."""

    def registry(self) -> Registry:
        """The functions that a call made now would find; empty when there are no workers."""


class FunctionHost:
    def __init__(
        self, manifest: AppManifest, store: DataStore, workers: Workers, clock: Clock, call_timeout_s: float
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._call_timeout_s = call_timeout_s
        self._calls = Calls(manifest, store, clock)

    def definitions(self) -> list[FunctionDefinition]:
        """Every function, by name."""
        registry = self._workers.registry()
        return [registry[name] for name in sorted(registry)]

    def call(self, name: str, args: Any, auth: AuthContext) -> msgspec.Raw:
        """Call a function and return its value as JSON text.

        ``args`` is any JSON value, or a ``msgspec.Raw`` of valid JSON. Raises PylonError: FUNCTIONS_NOT_AVAILABLE
        and RUNNER_NOT_STARTED 503, FN_NOT_FOUND 404, INVALID_ARGS and every code a handler throws 400, FN_TIMEOUT
        504, RUNNER_EXITED 502.

        A query or mutation whose child went away is run once more: of the first run nothing remains. An action
        may have done something already, so it is not.
        """
        may_run_again = True
        while True:
            runner = self._workers.pick(self._clock.monotonic() + self._call_timeout_s)
            function = runner.registry.get(name)
            if function is None:
                raise PylonError("FN_NOT_FOUND", f'Function "{name}" is not registered')
            deadline = self._clock.monotonic() + self._call_timeout_s
            try:
                return self._calls.run(runner, function, args, auth, deadline)
            except RunnerClosed:
                continue
            except CallTimedOut:
                self._workers.replace(runner)
                raise
            except RunnerLost:
                if not may_run_again or function.fn_type is FunctionKind.ACTION:
                    raise
                may_run_again = False
