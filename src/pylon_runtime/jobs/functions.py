"""Jobs that are functions of the app, by whatever is registered under their name when they run.

A mutation completes its job in its own transaction, so its effects happen exactly once. An action or a query that
is cut short may be done again. Any thread may call.
"""

from typing import Protocol

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions.identity import decode_identity
from pylon_functions.invocation import Invocation, Origin
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_http.jobs import Job
from pylon_runtime.jobs.attempts import Attempt, Handler, NotNow, TooEarly
from pylon_runtime.jobs.handlers import NoHandler

STARTING_DELAY_S = 1.0
AWAY_DELAY_S = 10.0
UNKNOWN_DELAY_S = 2.0
_DELAYS = {"RUNNER_NOT_STARTED": STARTING_DELAY_S, "FUNCTIONS_NOT_AVAILABLE": AWAY_DELAY_S}
"""Where there is nobody to run functions, a job waits, however long that lasts."""


class Functions(Protocol):
    """``FunctionHost``."""

    def find(self, name: str, *, origin: Origin) -> FunctionDefinition: ...

    def run(self, invocation: Invocation) -> msgspec.Raw: ...


class FunctionJobs:
    """``action_timeout_s`` is for actions, which may take their time; the others keep the database busy and have
    what every call has. A job is given ``patience_s`` from its making on to be claimed by a server that has its
    function."""

    def __init__(self, functions: Functions, action_timeout_s: float, patience_s: float, clock: Clock) -> None:
        self._functions = functions
        self._action_timeout_s = action_timeout_s
        self._patience_s = patience_s
        self._clock = clock

    def handler(self, _name: str) -> Handler:
        return self._run

    def _run(self, attempt: Attempt) -> None:
        job = attempt.job
        try:
            kind = self._functions.find(job.name, origin=Origin.SERVER).fn_type
            self._functions.run(
                Invocation(
                    name=job.name,
                    args=job.payload,
                    auth=decode_identity(job.identity),
                    origin=Origin.SERVER,
                    timeout_s=self._action_timeout_s if kind is FunctionKind.ACTION else None,
                    claim=attempt.claim,
                )
            )
        except PylonError as error:
            if error.code in _DELAYS:
                raise NotNow(error.code, _DELAYS[error.code]) from error
            if error.code == "FN_NOT_FOUND" and not self._is_known(job.name):
                raise self._unknown(job) from error
            raise
        attempt.is_completed = kind is FunctionKind.MUTATION

    def _unknown(self, job: Job) -> Exception:
        """While servers are replaced one by one, another may have the function."""
        nobody = NoHandler(job.name)
        is_young = self._clock.now_ns() // 1_000_000 < job.created_ms + 1000 * self._patience_s
        return TooEarly(str(nobody), UNKNOWN_DELAY_S) if is_young else nobody

    def _is_known(self, name: str) -> bool:
        """A function that was found may itself have asked for one that was not."""
        try:
            self._functions.find(name, origin=Origin.SERVER)
        except PylonError as error:
            return error.code != "FN_NOT_FOUND"
        return True
