"""Push: a replica's queued writes, applied in order inside one transaction (contract 05 §5).

The answer's shape is pinned by how replicas read it: they take the first ``applied`` changes as done and the
next one as failed, and keep the rest to send again. So push stops at the first change that is refused, and a
change that an earlier push already applied counts as applied. What a write may do is the pipeline's business;
order, idempotency and the answer are decided here. Runs on whatever thread runs the transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec

from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.ids import is_client_row_id
from pylon_http import ChangeKind, DataError, Row, TxStore

CHANGES_MAX = 10_000
"""Of one push. Published clients send whatever they have queued, and never less when it is refused."""

ID_CHARS_MAX = 256
"""Longest op id or client id accepted; both are kept with the idempotency keys."""

STRETCH_S = 0.05
"""After this long a transaction takes no further change: everybody else's writes wait for it, and what it wrote
lies in memory. A change can be small and costly: the log keeps whole rows, an index stems every word."""

_OpId = Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX, pattern=r"^[^\0]*\Z")]


class PushChange(msgspec.Struct, frozen=True):
    """One queued write of a replica."""

    entity: str
    row_id: str
    kind: ChangeKind
    data: dict[str, Any] | None = None
    op_id: _OpId | None = None


class PushRequest(msgspec.Struct, frozen=True):
    changes: list[PushChange]
    client_id: _OpId | None = None


class PushResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one change; ``status`` is ``applied``, ``deduped`` or ``failed``, which says why."""

    op_id: str | None
    status: str
    row_id: str
    error: str | None = None
    code: str | None = None


class PushOutcome(msgspec.Struct, frozen=True):
    """``applied`` counts the prefix that is now stored, the ``deduped`` ones of it included; ``results`` has one
    for each change that was tried."""

    applied: int
    deduped: int
    errors: list[str]
    results: list[PushResult]

    def followed_by(self, later: "PushOutcome") -> "PushOutcome":
        return PushOutcome(
            self.applied + later.applied,
            self.deduped + later.deduped,
            self.errors + later.errors,
            self.results + later.results,
        )


class CallerWrites(Protocol):
    """The write pipeline on behalf of one identity: policy above the transaction it is given.

    Each method raises ``PylonError`` when the write is refused; update and delete do so for a missing row.
    """

    def insert(self, tx: TxStore, entity: str, data: Mapping[str, Any], row_id: str | None) -> Row: ...

    def update(self, tx: TxStore, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row: ...

    def delete(self, tx: TxStore, entity: str, row_id: str) -> None: ...


def parse_push(body: bytes) -> PushRequest:
    """Raises INVALID_JSON for anything that is not a push request, in syntax or in shape, PAYLOAD_TOO_LARGE for
    more than ``CHANGES_MAX`` changes."""
    document = jsontext.decode(body)
    try:
        request = msgspec.convert(document, PushRequest)
    except msgspec.ValidationError:
        raise PylonError("INVALID_JSON", "The request body is not a list of changes.") from None
    if len(request.changes) > CHANGES_MAX:
        raise PylonError(
            "PAYLOAD_TOO_LARGE",
            f"A push takes at most {CHANGES_MAX} changes.",
            hint="Send them in several pushes, in their order.",
        )
    return request


class Pusher(msgspec.Struct, frozen=True):
    """Whose op ids and ids of rows they are: one user's, on one client. Two clients may number theirs alike; one
    that keeps its queue keeps its ``client_id`` with it."""

    user_id: str
    client_id: str | None

    @property
    def operations(self) -> str:
        """The scope of its op ids. No two scopes have the same text."""
        return jsontext.encode([self.user_id, self.client_id]).decode()

    def renamed(self, entity: str) -> str:
        """The scope of the ids it gave to rows of an entity that are stored under others."""
        return jsontext.encode([self.user_id, self.client_id, entity]).decode()


def push(
    tx: TxStore, changes: Sequence[PushChange], pusher: Pusher, writes: CallerWrites, clock: Clock
) -> PushOutcome:
    """Apply the changes in order until one is refused, or ``STRETCH_S`` are over; what came before stays applied.

    A failure of the database (status 500 and above) says nothing about the change and undoes all of them.
    """
    results: list[PushResult] = []
    deduped = 0
    end = clock.monotonic() + STRETCH_S
    for change in changes:
        if results and clock.monotonic() >= end:
            break
        known_row_id = tx.recall(pusher.operations, change.op_id) if change.op_id else None
        if known_row_id is not None:
            deduped += 1
            results.append(PushResult(change.op_id, "deduped", known_row_id))
            continue
        try:
            with tx.savepoint():
                row_id = _apply(tx, change, pusher, writes)
        except PylonError as error:
            if error.status >= 500:
                raise
            text = _error_text(change, error)
            failed = PushResult(change.op_id, "failed", change.row_id, text, error.code)
            return PushOutcome(len(results), deduped, [text], [*results, failed])
        results.append(PushResult(change.op_id, "applied", row_id))
    return PushOutcome(len(results), deduped, [], results)


def _apply(tx: TxStore, change: PushChange, pusher: Pusher, writes: CallerWrites) -> str:
    """Apply one change, remember it, and return the id of its row.

    It is remembered first: where the same push arrives twice at a time, the two meet there, and one of them is run
    again and finds it done. Later, the second would already have been told that its row is there.
    """
    if is_client_row_id(change.row_id):
        row_id = change.row_id
    else:
        names = pusher.renamed(change.entity)
        known_id = tx.recall(names, change.row_id) if _is_name(change.row_id) else None
        if change.kind is ChangeKind.INSERT:
            return _insert_renamed(tx, change, pusher, writes, is_taken=known_id is not None)
        row_id = known_id or change.row_id
    if change.op_id:
        tx.remember(pusher.operations, change.op_id, row_id)
    if change.kind is ChangeKind.DELETE:
        writes.delete(tx, change.entity, row_id)
    elif change.kind is ChangeKind.UPDATE:
        writes.update(tx, change.entity, row_id, _data(change))
    else:
        writes.insert(tx, change.entity, _data(change), row_id)
    return row_id


def _insert_renamed(
    tx: TxStore, change: PushChange, pusher: Pusher, writes: CallerWrites, *, is_taken: bool
) -> str:
    """Store a row that cannot keep its id under a fresh one, and remember what the client's stands for: it may
    have queued changes of the row before it hears of that."""
    if is_taken:
        raise DataError("INSERT_FAILED", f"{change.entity} already has a row with this id.", status=409)
    row_id: str = writes.insert(tx, change.entity, _data(change), None)["id"]
    if change.op_id:
        tx.remember(pusher.operations, change.op_id, row_id)
    if _is_name(change.row_id):
        tx.remember(pusher.renamed(change.entity), change.row_id, row_id)
    return row_id


def _is_name(row_id: str) -> bool:
    """Whether it can stand for a row, if not in the database."""
    return 0 < len(row_id) <= ID_CHARS_MAX and "\0" not in row_id


def _data(change: PushChange) -> dict[str, Any]:
    if change.data is None:
        raise PylonError("INVALID_DATA", "The change carries no data.")
    return change.data


def _error_text(change: PushChange, error: PylonError) -> str:
    if change.kind is ChangeKind.INSERT:
        return f"insert {change.entity}: {error.message}"
    return f"{change.kind} {change.entity}/{change.row_id}: {error.message}"
