"""What each kind of function may do, enforced here and not only by the shape of its ``ctx`` (contract 07 §6).

    query      reads, all of them from one snapshot
    mutation   reads, writes and schedules in one transaction that commits on ``return``
    action     no database; schedules; runs queries and mutations, each with a snapshot or transaction of its own
    workflow   as an action

Where transactions keep each other waiting, a mutation is first tried out beside the others, and its transaction is
only the moment in which what it did is done for real. It may have to be begun anew for that, and then has its
transaction from the first operation on.

A snapshot or transaction opens with the first operation that needs it, not with the call: a handler that computes,
or waits for the network, before it touches data holds nothing up meanwhile, and the first of its round trips
overlaps with other mutations' transactions. It sees the same as if it had been open all along.

Any thread may call it; the transaction of a mutation may run on another one.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

import msgspec

from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_core.turns import blocking
from pylon_functions import protocol
from pylon_functions.as_user import Guard, UserOperations
from pylon_functions.contention import Contention
from pylon_functions.conversation import Conversation
from pylon_functions.database import Operations
from pylon_functions.endings import CallEnded
from pylon_functions.handler_errors import handler_error
from pylon_functions.invocation import Invocation, OnceScope
from pylon_functions.mailbox import Attendant
from pylon_functions.protocol import (
    CallFrame,
    CancelSchedule,
    Database,
    Failure,
    Request,
    Return,
    RunFunction,
    Schedule,
)
from pylon_functions.scheduling import cancelled, scheduled
from pylon_http import DataStore, NeedsTransaction, Reader, RerunRefused, Trial, TxStore

T = TypeVar("T")

_AT_ONCE = frozenset(("get", "insert", "update", "delete"))
"""What a snapshot or trial in this process does in less time than it takes to wake a thread."""

PLACE_SECONDS = 10.0
"""How long a call waits where many are in the middle of their reads and transactions."""

Answerer = Callable[[Request], Any]
"""Does what a request asks and returns its ``result.data``, or raises what refuses it."""

RunNested = Callable[[RunFunction, OnceScope | None], msgspec.Raw]


class Serving:
    """Does what handlers ask for, up to their ``return``. Raises the handler's error (400) and ``CallEnded``."""

    def __init__(self, manifest: AppManifest, store: DataStore, clock: Clock, guard: Guard | None) -> None:
        self._operations = Operations(manifest, clock)
        self._user_operations = UserOperations(self._operations, manifest, guard)
        self._store = store
        self._contention = Contention()
        self._clock = clock

    def query(self, talk: Conversation, auth: AuthContext) -> msgspec.Raw:
        with OnFirstUse(partial(self._snapshot, talk)) as snapshot:

            def answer(request: Request) -> Any:
                if isinstance(request, Database):
                    return self._operate(talk, request, partial(self._read, snapshot.opened(), auth))
                return _refuse_to_query(request)

            attendant = self._attendant(answer)
            return _serve(talk, talk.hear(attendant), answer, attendant)

    def mutation(self, talk: Conversation, wanted: Invocation, *, is_rerun: bool) -> msgspec.Raw:
        """Raises ``RerunRefused`` when the call has to be begun anew, its handler included: half of it is in
        another process and cannot be rewound. A rerun is not tried out first."""
        may_try = not is_rerun and self._contention.allows_trial(wanted.name)
        with OnFirstUse(self._store.try_out if may_try else _no_trial) as opening:
            frame = self._until_transaction(talk, opening, wanted.auth)
        trial = opening.value
        has_written = trial is not None and trial.has_written
        if isinstance(frame, Return) and not (has_written or _is_sealed(wanted)):
            return frame.value
        try:
            return self._in_transaction(talk, wanted, frame, trial)
        except RerunRefused:
            self._contention.refused(wanted.name)
            raise

    def _until_transaction(
        self, talk: Conversation, opening: "OnFirstUse[Trial | None]", auth: AuthContext
    ) -> Request | Return:
        """Serve frames as far as a trial goes: to ``return``, or to what only a transaction can do."""

        def answer(request: Request) -> Any:
            if isinstance(request, Database | Schedule | CancelSchedule):
                trial = opening.opened()
                if trial is None:
                    raise NeedsTransaction
                return self._mutation_answerer(talk, trial, auth)(request)
            return _refuse_to_mutation(request)

        attendant = self._attendant(answer)
        frame = talk.hear(attendant)
        while not isinstance(frame, Return):
            try:
                _respond(talk, frame, answer)
            except NeedsTransaction:
                assert not isinstance(frame, Failure)
                return frame
            frame = talk.hear(attendant)
        return frame

    def _attendant(self, answer: Answerer) -> Attendant | None:
        return partial(_attend, answer) if self._store.reads_at_once else None

    @contextmanager
    def _snapshot(self, talk: Conversation) -> Iterator[Reader]:
        with self._long_work(talk), self._store.read() as reader:
            yield reader

    def _in_transaction(
        self, talk: Conversation, wanted: Invocation, frame: Request | Return | Failure, trial: Trial | None
    ) -> msgspec.Raw:
        """From the end of a trial, if there was one, to the commit."""
        attempts = itertools.count()

        def work(tx: TxStore) -> msgspec.Raw:
            if next(attempts):
                raise RerunRefused
            talk.check_time(self._clock.monotonic())  # it queued for the transaction
            if trial is not None:
                trial.settle(tx)
            if isinstance(frame, Return):
                value = frame.value
            else:
                # Not under a turn: every other write waits for this one, so it must not wait for a turn meanwhile.
                with blocking():
                    value = _serve(talk, frame, self._mutation_answerer(talk, tx, wanted.auth))
            _seal(tx, wanted, value)
            return value

        with self._long_work(talk):
            return self._store.transact(work)

    def remembered(self, wanted: Invocation) -> msgspec.Raw | None:
        """What a mutation returned that was called as this one before."""
        once = wanted.once
        if once is None:
            return None

        def work(tx: TxStore) -> str | None:
            text = tx.recall(once.scope, once.prefix)
            if text is not None and wanted.claim is not None:
                tx.complete_job(wanted.claim)
            return text

        text = self._store.transact(work)
        return None if text is None else msgspec.Raw(text.encode())

    def action(self, talk: Conversation, wanted: Invocation, run_nested: RunNested) -> msgspec.Raw:
        parts = _Parts(wanted.once)

        def answer(request: Request) -> Any:
            match request:
                case RunFunction():
                    once = parts.next(str(request.fn_name)) if request.fn_type == "mutation" else None
                    return run_nested(request, once)
                case Schedule():
                    once = parts.next(f"job:{request.fn_name}")
                    return self._schedule_apart(talk, request, wanted.auth, once)
                case CancelSchedule():
                    return {"cancelled": self._store.transact(partial(cancelled, frame=request))}
                case Database():
                    message = "An action has no ctx.db; use ctx.runQuery or ctx.runMutation."
                    raise PylonError("NOT_SUPPORTED", message)
            raise _unreadable()

        return _serve(talk, talk.hear(), answer)

    def _mutation_answerer(self, talk: Conversation, tx: TxStore, auth: AuthContext) -> Answerer:
        write = partial(self._write, tx, auth)

        def answer(request: Request) -> Any:
            match request:
                case Database():
                    return self._operate(talk, request, write)
                case Schedule():
                    return _scheduled(talk, request, scheduled(tx, request, auth, self._clock))
                case CancelSchedule():
                    return {"cancelled": cancelled(tx, request)}
            return _refuse_to_mutation(request)

        return answer

    def _read(self, reader: Reader, auth: AuthContext, frame: Database) -> Any:
        if frame.identity is None:
            return self._operations.read(reader, frame)
        _check_identity(frame)
        return self._user_operations.read(reader, auth, frame)

    def _write(self, tx: TxStore, auth: AuthContext, frame: Database) -> Any:
        if frame.identity is None:
            return self._operations.write(tx, frame)
        _check_identity(frame)
        return self._user_operations.write(tx, auth, frame)

    def _operate(self, talk: Conversation, frame: Database, do: Callable[[Database], Any]) -> Any:
        begun = self._clock.monotonic()
        try:
            data = do(frame)
        except PylonError:
            ended = self._clock.monotonic()
            talk.trace.failed(frame, ended - begun)
            talk.check_time(ended)
            raise
        ended = self._clock.monotonic()
        talk.trace.operated(frame, ended - begun, data)
        talk.check_time(ended)
        return data

    def _schedule_apart(
        self, talk: Conversation, frame: Schedule, auth: AuthContext, once: OnceScope | None
    ) -> Any:
        """Schedule in a transaction of its own; where the call is to happen once, a job made before is the one."""

        def work(tx: TxStore) -> str:
            known = None if once is None else tx.recall(once.scope, once.prefix)
            if known is not None:
                return known
            job_id = scheduled(tx, frame, auth, self._clock)
            if once is not None:
                tx.remember(once.scope, once.prefix, job_id)
            return job_id

        job_id = self._store.transact(work)
        talk.check_time(self._clock.monotonic())
        return _scheduled(talk, frame, job_id)

    def _long_work(self, talk: Conversation) -> AbstractContextManager[None]:
        return self._store.long_work(min(PLACE_SECONDS, talk.deadline - self._clock.monotonic()))


class OnFirstUse(Generic[T]):
    """A context whose value is opened when it is first asked for, by whichever thread that is."""

    def __init__(self, open_it: Callable[[], AbstractContextManager[T]]) -> None:
        self._open_it = open_it
        self._stack = ExitStack()
        self._is_open = False
        self.value: T | None = None
        """``None``: never opened."""

    def __enter__(self) -> "OnFirstUse[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if isinstance(error, _NotOpened):
            raise error.reason from None

    def opened(self) -> T:
        """What keeps it from opening ends the whole body with that error: no handler can do anything about it."""
        if not self._is_open:
            try:
                self.value = self._stack.enter_context(self._open_it())
            except PylonError as error:
                raise _NotOpened(error) from error
            self._is_open = True
        return cast(T, self.value)


class _NotOpened(Exception):  # noqa: N818 - not an answer to anybody
    def __init__(self, reason: PylonError) -> None:
        super().__init__(reason.code)
        self.reason = reason


def _attend(answer: Answerer, frame: CallFrame) -> bytes | None:
    """Answer what takes no time: operations on single rows."""
    if type(frame) is not Database or frame.identity is not None:
        return None
    if type(frame.op) is not str or frame.op not in _AT_ONCE:
        return None
    try:
        return protocol.result_line(frame, answer(frame))
    except (NeedsTransaction, CallEnded):
        return None
    except PylonError as error:
        return protocol.refusal_line(frame, error)
    except Exception:  # noqa: BLE001 - whatever it is, it happens to the call's own thread again
        return None


def _serve(
    talk: Conversation,
    frame: Request | Return | Failure,
    answer: Answerer,
    attendant: Attendant | None = None,
) -> msgspec.Raw:
    """Serve every frame, from this one to ``return``; the returned value."""
    while not isinstance(frame, Return):
        _respond(talk, frame, answer)
        frame = talk.hear(attendant)
    return frame.value


def _respond(talk: Conversation, frame: Request | Failure, answer: Answerer) -> None:
    if isinstance(frame, Failure):
        raise handler_error(frame)
    try:
        data = answer(frame)
    except CallEnded:
        raise
    except PylonError as error:
        talk.refuse(frame, error)
    else:
        talk.answer(frame, data)


def _no_trial() -> AbstractContextManager[None]:
    return nullcontext()


def _is_sealed(wanted: Invocation) -> bool:
    return wanted.claim is not None or wanted.once is not None


def _seal(tx: TxStore, wanted: Invocation, value: msgspec.Raw) -> None:
    """What else a mutation's transaction does before it commits."""
    once = wanted.once
    if once is not None:
        if tx.recall(once.scope, once.prefix) is not None:
            raise RerunRefused  # it has happened meanwhile; begun anew, the call finds what it returned
        tx.remember(once.scope, once.prefix, bytes(value).decode())
    if wanted.claim is not None:
        tx.complete_job(wanted.claim)


class _Parts:
    """What the parts of a call are remembered under: each is told from others of its name by its number. One that
    fails is not remembered, and what is done next time may be something else: so numbers alone would not tell."""

    def __init__(self, once: OnceScope | None) -> None:
        self._once = once
        self._numbers: Counter[str] = Counter()

    def next(self, name: str) -> OnceScope | None:
        once = self._once
        if once is None:
            return None
        number = self._numbers[name]
        self._numbers[name] += 1
        return OnceScope(once.scope, f"{once.prefix}:{name}:{number}")


def _scheduled(talk: Conversation, frame: Schedule, job_id: str) -> Any:
    talk.trace.scheduled(frame)
    return {"scheduled": True, "id": job_id}


def _check_identity(frame: Database) -> None:
    if frame.identity != "user":
        raise PylonError("INVALID_DATA", 'as is "user" or left out.')


def _refuse_to_query(request: Request) -> Any:
    if isinstance(request, Schedule | CancelSchedule | RunFunction):
        raise PylonError("NOT_SUPPORTED", "A query may only read the database.")
    raise _unreadable()


def _refuse_to_mutation(request: Request) -> Any:
    if isinstance(request, RunFunction):
        raise PylonError("NESTED_MUTATION", "A mutation cannot run other functions.")
    raise _unreadable()


def _unreadable() -> PylonError:
    return PylonError("PROTOCOL_ERROR", "The request cannot be read: too long, too deep or no text.")
