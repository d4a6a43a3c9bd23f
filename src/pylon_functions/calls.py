"""What each kind of function may do, enforced here and not only by the shape of its ``ctx`` (contract 07 §6).

    query      reads, all of them from one snapshot
    mutation   reads and writes in one transaction that commits on ``return``
    action     no database; runs queries and mutations, each with a snapshot or transaction of its own

A snapshot or transaction opens with the first database operation, not with the call: a handler that computes,
or waits for the network, before it touches data holds nothing up meanwhile, and the first of its round trips
overlaps with other mutations' transactions. It sees the same as if it had been open all along.

A database that cannot put a mutation in an order with others wants it done again. A handler's half of the talk
cannot be replayed, so the call is given up and begun anew, its handler from the start.

Any thread may call ``run``; the transaction of a mutation may run on another one.
"""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, assert_never

import msgspec

from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_core.turns import blocking
from pylon_functions import protocol
from pylon_functions.conversation import Conversation
from pylon_functions.database import Operations
from pylon_functions.protocol import (
    CancelSchedule,
    Database,
    Failure,
    Request,
    Return,
    RunFunction,
    Schedule,
    Stream,
)
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_functions.runner import CallTimedOut, Runner, RunnerLost
from pylon_http import DataStore, Reader, RerunRefused, TxStore

ATTEMPTS_MAX = 256
"""How often a mutation is begun while others keep getting ahead of it. Each round lets one of them through, so
this many may want the same row at once; the deadline usually comes first."""

PLACE_SECONDS = 10.0
"""How long a call waits where many are in the middle of their reads and transactions."""

Answerer = Callable[[Request], Any]
"""Does what a request asks and returns its ``result.data``, or raises what refuses it."""


class Calls:
    def __init__(self, manifest: AppManifest, store: DataStore, clock: Clock) -> None:
        self._operations = Operations(manifest, clock)
        self._store = store
        self._clock = clock
        self._numbers = itertools.count()

    def run(
        self,
        runner: Runner,
        function: FunctionDefinition,
        args: Any,
        auth: AuthContext,
        deadline: float,
        parent: str | None = None,
    ) -> msgspec.Raw:
        """Call a function on one child and return its value as JSON.

        Raises the handler's error (400), ``CallTimedOut``, ``RunnerLost``, ``RunnerClosed``, and ``RerunRefused``
        (409) for a mutation that could not get past the others in time.
        """
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return self._attempt(runner, function, args, auth, deadline, parent)
            except RerunRefused:
                if self._clock.monotonic() >= deadline:
                    raise
        return self._attempt(runner, function, args, auth, deadline, parent)

    def _attempt(
        self,
        runner: Runner,
        function: FunctionDefinition,
        args: Any,
        auth: AuthContext,
        deadline: float,
        parent: str | None,
    ) -> msgspec.Raw:
        call_id = f"c_{next(self._numbers)}"
        with Conversation(runner, call_id, deadline, self._clock, parent) as talk:
            talk.say(protocol.call_line(call_id, function, args, auth))
            match function.fn_type:
                case FunctionKind.QUERY:
                    return self._query(talk)
                case FunctionKind.MUTATION:
                    return self._mutation(talk)
                case FunctionKind.ACTION:
                    return self._action(talk, auth)
                case _:
                    assert_never(function.fn_type)

    def _query(self, talk: Conversation) -> msgspec.Raw:
        first = _until_database(talk, _query_has_database_only)
        if isinstance(first, Return):
            return first.value
        with self._long_work(talk), self._store.read() as reader:
            return _serve(talk, first, partial(_answer_query, self._operations, reader))

    def _mutation(self, talk: Conversation) -> msgspec.Raw:
        first = _until_database(talk, _mutation_has_database_only)
        if isinstance(first, Return):
            return first.value

        attempts = itertools.count()

        def work(tx: TxStore) -> msgspec.Raw:
            if next(attempts):
                raise RerunRefused
            if talk.is_overdue:  # it queued for the transaction all that time; the child is not to blame
                raise PylonError("FN_TIMEOUT", "The database was too busy to run the function in time.")
            # Not under a turn: every other write waits for this one, so it must not wait for a turn in between.
            with blocking():
                return _serve(talk, first, partial(_answer_mutation, self._operations, tx))

        with self._long_work(talk):
            return self._store.transact(work)

    def _long_work(self, talk: Conversation) -> AbstractContextManager[None]:
        return self._store.long_work(min(PLACE_SECONDS, talk.deadline - self._clock.monotonic()))

    def _action(self, talk: Conversation, auth: AuthContext) -> msgspec.Raw:
        caller = _without_admin(auth)

        def answer(request: Request) -> Any:
            if isinstance(request, RunFunction):
                return self._run_nested(talk, request, caller)
            if isinstance(request, Database):
                message = "An action has no ctx.db; use ctx.runQuery or ctx.runMutation."
                raise PylonError("NOT_SUPPORTED", message)
            raise _refusal(request)

        return _serve(talk, talk.hear(), answer)

    def _run_nested(self, talk: Conversation, request: RunFunction, caller: AuthContext) -> msgspec.Raw:
        function = talk.runner.registry.get(str(request.fn_name))
        if function is None:
            raise PylonError("FN_NOT_FOUND", f'Function "{request.fn_name}" is not registered')
        if function.fn_type is FunctionKind.ACTION or function.fn_type != request.fn_type:
            message = f'Function "{function.name}" is registered as {function.fn_type}, not {request.fn_type}'
            raise PylonError("FN_TYPE_MISMATCH", message)
        return self.run(talk.runner, function, request.args, caller, talk.deadline, parent=talk.call_id)


def _until_database(talk: Conversation, answer: Answerer) -> Database | Return:
    """Serve whatever needs no database; the frame that ends that."""
    while True:
        frame = talk.hear()
        if isinstance(frame, Database | Return):
            return frame
        _respond(talk, frame, answer)


def _serve(talk: Conversation, frame: protocol.CallFrame, answer: Answerer) -> msgspec.Raw:
    """Serve every frame, from this one to ``return``; the returned value."""
    while not isinstance(frame, Return):
        _respond(talk, frame, answer)
        frame = talk.hear()
    return frame.value


def _respond(talk: Conversation, frame: Request | Stream | Failure, answer: Answerer) -> None:
    if isinstance(frame, Failure):
        raise _handler_error(frame)
    if isinstance(frame, Stream):  # nobody listens yet
        return
    try:
        data = answer(frame)
    except (CallTimedOut, RunnerLost):
        raise
    except PylonError as error:
        talk.refuse(frame, error)
    else:
        talk.answer(frame, data)


def _answer_query(operations: Operations, reader: Reader, request: Request) -> Any:
    if isinstance(request, Database):
        return operations.read(reader, request)
    return _query_has_database_only(request)


def _answer_mutation(operations: Operations, tx: TxStore, request: Request) -> Any:
    if isinstance(request, Database):
        return operations.write(tx, request)
    return _mutation_has_database_only(request)


def _query_has_database_only(request: Request) -> Any:
    if isinstance(request, Schedule | CancelSchedule | RunFunction):
        raise PylonError("NOT_SUPPORTED", "A query may only read the database.")
    raise _refusal(request)


def _mutation_has_database_only(request: Request) -> Any:
    if isinstance(request, RunFunction):
        raise PylonError("NESTED_MUTATION", "A mutation cannot run other functions.")
    raise _refusal(request)


def _refusal(request: Request) -> PylonError:
    """What is answered to a request that no kind of function gets fulfilled."""
    if isinstance(request, Schedule | CancelSchedule):
        return PylonError("NOT_IMPLEMENTED", "ctx.scheduler is not available yet.")
    return PylonError("PROTOCOL_ERROR", "The request cannot be read: too long, too deep or no text.")


def _handler_error(frame: Failure) -> PylonError:
    """An ended handler's error, its values as untrusted as everything it sends."""
    code = frame.code if isinstance(frame.code, str) and frame.code else "HANDLER_ERROR"
    message = frame.message if isinstance(frame.message, str) else "Internal handler error"
    return PylonError(code, message, status=400)


def _without_admin(auth: AuthContext) -> AuthContext:
    """The identity of nested calls: the same user, never the admin and none of the admin's roles."""
    roles = () if auth.is_admin else auth.roles
    return AuthContext(auth.user_id, is_guest=auth.is_guest, roles=roles, tenant_id=auth.tenant_id)
