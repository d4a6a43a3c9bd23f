"""The ``ctx`` of each kind of function: what its handler may reach, and nothing else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pylon_functions.python.call import Call
from pylon_functions.python.database import DatabaseReader, DatabaseWriter
from pylon_functions.python.errors import FunctionError


@dataclass(frozen=True)
class Auth:
    """Who is calling, as the server resolved it."""

    user_id: str | None
    is_admin: bool
    tenant_id: str | None
    roles: tuple[str, ...]


@dataclass(frozen=True)
class WebhookRequest:
    """The HTTP request of a webhook: headers by lower-case name, the body as it was signed."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: str


class Stream:
    """Text sent to the caller while the function runs. Not part of the transaction."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def write(self, text: str) -> None:
        self._call.stream(text, None)

    def write_event(self, event: str, text: str) -> None:
        self._call.stream(text, event)


class Scheduler:
    """Functions run later, by whichever server is free. From a mutation they are scheduled when it commits.

    They run as nobody, or with ``as_caller`` as the user who schedules them.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    def run_after(
        self, delay: float | timedelta, fn: str, args: Mapping[str, Any] | None = None, *, as_caller: bool = False
    ) -> str:
        """``delay`` in milliseconds; the id of the job."""
        delay_ms = delay / timedelta(milliseconds=1) if isinstance(delay, timedelta) else delay
        return self._schedule({"fn_name": fn, "args": args or {}, "delay_ms": delay_ms}, as_caller=as_caller)

    def run_at(
        self, when: float | datetime, fn: str, args: Mapping[str, Any] | None = None, *, as_caller: bool = False
    ) -> str:
        """``when`` in milliseconds since the Unix epoch; the id of the job."""
        run_at = 1000 * when.timestamp() if isinstance(when, datetime) else when
        return self._schedule({"fn_name": fn, "args": args or {}, "run_at": run_at}, as_caller=as_caller)

    def cancel(self, job_id: str) -> bool:
        """Whether there was such a job that had not begun."""
        answer = self._call.ask("cancel_schedule", {"schedule_id": job_id})
        return bool(answer["cancelled"])

    def _schedule(self, operands: Mapping[str, Any], *, as_caller: bool) -> str:
        answer = self._call.ask("schedule", {**operands, "as": "caller"} if as_caller else operands)
        job_id: str = answer["id"]
        return job_id


class Context:
    """What every function has. ``env`` is what the operator lets functions see of the server's environment."""

    def __init__(self, call: Call) -> None:
        self._call = call
        who = call.frame.auth
        self.auth = Auth(who.user_id, who.is_admin, who.tenant_id, who.roles)
        self.env: Mapping[str, str] = os.environ

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for this call any more. A long computation may look."""
        return self._call.is_abandoned

    def error(self, code: str, message: str) -> FunctionError:
        """Makes (does not raise) an error for the caller: ``raise ctx.error("SOLD_OUT", "None are left.")``."""
        return FunctionError(code, message)

    def _database(self, op: str, operands: Mapping[str, Any]) -> Any:
        return self._call.ask("db", {"op": op, **operands})

    def _database_as_user(self, op: str, operands: Mapping[str, Any]) -> Any:
        return self._call.ask("db", {"op": op, "as": "user", **operands})


class QueryContext(Context):
    """Reads, all of them from one state of the database."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.db = DatabaseReader(self._database)

    def as_user(self) -> DatabaseReader:
        """The same database as the caller's own policies let them see it."""
        return DatabaseReader(self._database_as_user)


class MutationContext(Context):
    """One transaction: it commits when the function returns and leaves nothing when it raises."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.db = DatabaseWriter(self._database)
        self.stream = Stream(call)
        self.scheduler = Scheduler(call)

    def as_user(self) -> DatabaseWriter:
        """The same transaction under the caller's own policies."""
        return DatabaseWriter(self._database_as_user)


class Runner(Context):
    """Whoever reaches the database only through queries and mutations."""

    def run_query(self, fn: str, args: Mapping[str, Any] | None = None) -> Any:
        return self._call.ask("run_fn", {"fn_name": fn, "fn_type": "query", "args": args or {}})

    def run_mutation(self, fn: str, args: Mapping[str, Any] | None = None) -> Any:
        """Runs in a transaction of its own, which commits before this answers."""
        return self._call.ask("run_fn", {"fn_name": fn, "fn_type": "mutation", "args": args or {}})


class ActionContext(Runner):
    """Talks to the outside. ``request`` is there when a webhook calls."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.stream = Stream(call)
        self.scheduler = Scheduler(call)
        wire = call.frame.request
        self.request: WebhookRequest | None = None
        if wire is not None:
            headers = {name.lower(): value for name, value in wire.headers.items()}
            self.request = WebhookRequest(wire.method, wire.path, headers, wire.raw_body)
