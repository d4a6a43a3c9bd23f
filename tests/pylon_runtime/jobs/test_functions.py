"""Jobs that are functions: which claim they get, how long they may take, and what it means when there are none."""

from typing import Any

import msgspec
import pytest

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core.errors import PylonError
from pylon_functions.identity import encode_identity
from pylon_functions.invocation import Invocation, Origin
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_http.jobs import ClaimedJob, Job, JobClaim, JobPriority, JobStatus
from pylon_runtime.jobs import Attempt, FunctionJobs, NotNow, TooEarly
from pylon_runtime.jobs.handlers import NoHandler
from tests.support.job_stores import MovedClock

CLAIM = JobClaim("job_1", "w", 1)


class Functions:
    """One function of each kind, named for it; ``error`` is what becomes of a call."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[Invocation] = []
        self._error = error

    def find(self, name: str, *, origin: Origin) -> FunctionDefinition:
        assert origin is Origin.SERVER
        if name not in ("query", "mutation", "action"):
            raise PylonError("FN_NOT_FOUND", "There is no such function.")
        return FunctionDefinition(name, FunctionKind(name))

    def run(self, invocation: Invocation) -> msgspec.Raw:
        self.calls.append(invocation)
        if self._error is not None:
            raise self._error
        return msgspec.Raw(b"null")


def attempt(name: str, **members: Any) -> Attempt:
    job = Job(
        id="job_1",
        name=name,
        payload=msgspec.Raw(b'{"a":1}'),
        priority=JobPriority.NORMAL,
        status=JobStatus.RUNNING,
        queue="default",
        max_retries=3,
        retry_count=0,
        run_at_ms=0,
        created_ms=0,
        **members,
    )
    return Attempt(ClaimedJob(job, CLAIM), 0.0, None)  # type: ignore[arg-type]  # nothing is reported


def run(functions: Any, made: Attempt, *, patience_s: float = 0.0, now_ms: int = 0) -> None:
    FunctionJobs(functions, 300, patience_s, MovedClock(now_ms)).handler(made.job.name)(made)


def test_where_servers_differ_an_unknown_function_is_left_to_the_others_for_a_while() -> None:
    functions = Functions(PylonError("FN_NOT_FOUND", "Unknown."))

    with pytest.raises(TooEarly):
        run(functions, attempt("nope"), patience_s=600, now_ms=599_999)
    with pytest.raises(NoHandler):
        run(functions, attempt("nope"), patience_s=600, now_ms=600_000)


@pytest.mark.parametrize(
    ("kind", "timeout_s", "completes"),
    [("query", None, False), ("mutation", None, True), ("action", 300, False)],
)
def test_a_mutation_completes_its_job_and_an_action_has_its_time(
    kind: str, timeout_s: float | None, completes: bool
) -> None:
    functions, made = Functions(), attempt(kind)

    run(functions, made)

    (call,) = functions.calls
    assert (call.name, call.args, call.auth) == (kind, msgspec.Raw(b'{"a":1}'), ANONYMOUS)
    assert (call.timeout_s, call.claim) == (timeout_s, CLAIM)
    assert made.is_completed == completes


def test_a_function_runs_as_whom_the_job_says() -> None:
    functions = Functions()
    ada = AuthContext("ada", roles=("editor",), tenant_id="acme")

    run(functions, attempt("mutation", identity=encode_identity(ada)))

    assert functions.calls[0].auth == ada


@pytest.mark.parametrize("code", ["FUNCTIONS_NOT_AVAILABLE", "RUNNER_NOT_STARTED"])
def test_where_nobody_runs_functions_the_job_waits(code: str) -> None:
    with pytest.raises(NotNow) as refused:
        run(Functions(PylonError(code, "Not now.")), attempt("mutation"))

    assert refused.value.delay_s > 0


def test_a_function_there_is_none_of_has_no_handler() -> None:
    with pytest.raises(NoHandler, match="No handler registered for 'nope'"):
        run(Functions(), attempt("nope"))


def test_a_function_that_asks_for_one_there_is_none_of_has_failed_itself() -> None:
    with pytest.raises(PylonError) as failed:
        run(Functions(PylonError("FN_NOT_FOUND", "ctx.runQuery: no such function.")), attempt("action"))

    assert failed.value.code == "FN_NOT_FOUND"
