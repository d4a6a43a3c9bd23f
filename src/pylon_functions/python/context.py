"""The ``ctx`` of each kind of function: what its handler may reach, and nothing else."""

import os
import secrets
from base64 import b64decode
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
    """The HTTP request of a webhook: headers by lower-case name, the body as it was signed.

    ``raw_body`` is empty when the body is not UTF-8; ``raw_bytes`` always has it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: str
    raw_bytes: bytes


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


class Workflows:
    """Durable workflows. From a mutation all of this happens when it commits, and only if it does."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def start(self, name: str, input: Any = None, *, id: str | None = None) -> str:  # noqa: A002 - what they are called everywhere
        """Begin a workflow; its id. With an ``id`` of one's own, ``wf_`` and 16 hex digits, it begins once."""
        workflow_id = f"wf_{secrets.token_hex(8)}" if id is None else id
        self._ask("start", {"id": workflow_id, "name": name, "input": {} if input is None else input})
        return workflow_id

    def send(self, workflow_id: str, event: str, data: Any = None) -> None:
        """Send an event, which is kept until the workflow waits for it."""
        self._ask("event", {"id": workflow_id, "event": event, "data": {} if data is None else data})

    def cancel(self, workflow_id: str) -> None:
        self._ask("cancel", {"id": workflow_id})

    def _ask(self, what: str, args: Mapping[str, Any]) -> None:
        self._call.ask("schedule", {"fn_name": f"pylon.workflow.{what}", "args": args, "delay_ms": 0})


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
        self.workflows = Workflows(call)

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
        self.workflows = Workflows(call)
        wire = call.frame.request
        self.request: WebhookRequest | None = None
        if wire is not None:
            headers = {name.lower(): value for name, value in wire.headers.items()}
            encoded = wire.raw_body_base64
            body = wire.raw_body.encode() if encoded is None else b64decode(encoded)
            self.request = WebhookRequest(wire.method, wire.path, headers, wire.raw_body, body)
