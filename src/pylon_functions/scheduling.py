"""``ctx.scheduler``: functions to be run later, as jobs (contract 07 §8).

A job is made by a transaction: a mutation's own, so that it exists if and only if the mutation commits, or one for
itself when an action asks. What a handler says of the time comes as any JSON value. Pure but for the transaction
it is given.
"""

import math
from typing import Any

import msgspec

from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import SERVER_JOBS
from pylon_core.names import name_problem
from pylon_functions import workflows
from pylon_functions.identity import encode_identity
from pylon_functions.protocol import CancelSchedule, Schedule
from pylon_http import DataError, TxStore
from pylon_http.jobs import LATEST_MS, NewJob

QUEUE = "functions"


def scheduled(tx: TxStore, frame: Schedule, caller: AuthContext, clock: Clock) -> str:
    """Keep the job that a frame asks for; its id. Raises SCHEDULE_FAILED, and for what is asked of workflows
    what ``workflows.check_request`` does."""
    job = _job(frame, caller, clock)
    try:
        return tx.enqueue(job)
    except DataError as error:
        raise PylonError("SCHEDULE_FAILED", f"The function was not scheduled: {error.message}") from error


def cancelled(tx: TxStore, frame: CancelSchedule) -> bool:
    """Whether there was such a job, which had not begun."""
    return isinstance(frame.schedule_id, str) and tx.cancel_job(frame.schedule_id)


def _job(frame: Schedule, caller: AuthContext, clock: Clock) -> NewJob:
    if not isinstance(frame.fn_name, str):
        raise _refused("a function is named by a text")
    _check_name(frame.fn_name, frame.args)
    if frame.delay_ms is None:
        run_at_ms = _milliseconds("run_at", frame.run_at)
    else:
        delay_ms = _milliseconds("delay_ms", frame.delay_ms)
        now_ms = -(-clock.now_ns() // 1_000_000)  # rounded up: a job is never early
        run_at_ms = min(now_ms + delay_ms, LATEST_MS) if delay_ms else 0
    return NewJob(
        name=frame.fn_name,
        payload=frame.args,
        queue=QUEUE,
        run_at_ms=run_at_ms,
        identity=_identity(frame.identity, caller),
    )


def _check_name(name: str, args: msgspec.Raw) -> None:
    if (problem := name_problem(name)) is not None:
        raise _refused(f"the name of a function {problem}")
    if name.startswith(SERVER_JOBS) and not workflows.check_request(name, args):
        raise _refused(f"what begins with {SERVER_JOBS!r} is the server's own")


def _identity(asked: Any, caller: AuthContext) -> msgspec.Raw | None:
    match asked:
        case None:
            return None
        case "caller":
            return encode_identity(caller)
    raise _refused('as is "caller" or left out')


def _milliseconds(name: str, value: Any) -> int:
    """A time of JavaScript's: fractions round up, so that nothing is early; null is what NaN becomes, and means at
    once, as does what is negative."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(f"{name} is a number of milliseconds")
    return math.ceil(min(max(value, 0), LATEST_MS))


def _refused(reason: str) -> PylonError:
    return PylonError("SCHEDULE_FAILED", f"The function was not scheduled: {reason}.")
