"""Collaborative documents: the feed of those who edit single rows together (contract 05 §7.4).

Whoever subscribes to a row is sent its document as it is, and from then on what each commit adds to it, as long
as they may read the row; the end of that is silent, for the change feed says that the row is gone. Requests come
on their connections' reader threads, which ask the store; everything that is remembered belongs to the
dispatcher's thread.

No change falls between the two: a subscription notes the end of the log before it reads the document, and begins
with the entries from there on. What is in both is imported twice, which changes nothing. Entries before that end,
though they may not have been delivered yet, say nothing to it: the row may have been hidden in them.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol, TypeVar

from pylon_auth.context import AuthContext
from pylon_core.errors import PylonError
from pylon_http import ChangeEvent
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.audience import Audience, ReadPolicy
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.feeds import MessageHandler
from pylon_runtime.hub.frames import binary_frame
from pylon_runtime.hub.hub import Hub
from pylon_sync.crdt_wire import CrdtFrameKind, crdt_frame
from pylon_sync.visibility import Sight, sight

T = TypeVar("T")
RowKey = tuple[str, str]
"""Entity and row id."""


class DocumentReader(Protocol):
    """One consistent state of the store."""

    def get(self, entity: str, row_id: str, /) -> Mapping[str, Any] | None: ...

    def document(self, entity: str, row_id: str, /) -> bytes | None:
        """The row's document as a snapshot, if it has one."""


class DocumentTx(DocumentReader, Protocol):
    def open_document(self, entity: str, row_id: str, /) -> bytes | None:
        """The row's document, made and stored if it has none; ``None``: no such row."""


class DocumentStore(Protocol):
    """The part of a store that documents come from."""

    def read(self) -> AbstractContextManager[DocumentReader]: ...

    def transact(self, work: Callable[[DocumentTx], T], /) -> T: ...


class Documents:
    def __init__(self, hub: Hub, store: DocumentStore, policy: ReadPolicy, entities: Collection[str]) -> None:
        """``entities`` are those whose rows have documents."""
        self._hub = hub
        self._store = store
        self._policy = policy
        self._entities = entities
        self._limits = hub.limits
        self._delivered_end = 0
        self._rows: dict[RowKey, dict[Audience, dict[Connection, int]]] = {}
        """Who is told of a row, each from a position of the log on."""
        self._held: dict[Connection, dict[RowKey, None]] = {}
        self._count = 0

    @property
    def messages(self) -> Mapping[str, MessageHandler]:
        return {"crdt-subscribe": self._subscribe, "crdt-unsubscribe": self._unsubscribe}

    @property
    def refusals(self) -> Mapping[str, MessageHandler]:
        return {}

    # On the thread of a connection's reader

    def _subscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        key = self._row_named(message)
        if key is None or not self._has_room(connection, key):
            return
        self._hub.await_sent(connection)
        seen_end = self._hub.events.end
        try:
            snapshot = self._snapshot(connection.auth, *key)
        except PylonError as error:
            if error.status >= 500 or error.code == "CONFLICT":
                # It may work later, but a client asks for a document once, when it connects.
                self._hub.close(connection, close_codes.TRY_AGAIN_LATER, "A document could not be read.")
            return
        frame = None if snapshot is None else crdt_frame(CrdtFrameKind.SNAPSHOT, *key, snapshot)
        if frame is not None:
            self._hub.await_call(partial(self._begin, connection, key, binary_frame(frame), seen_end))

    def _unsubscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        key = self._row_named(message)
        if key is not None:
            self._hub.await_call(partial(self._end, connection, key))

    def _row_named(self, message: Mapping[str, Any]) -> RowKey | None:
        entity, row_id = message.get("entity"), message.get("rowId") or message.get("row_id")
        if not isinstance(entity, str) or not isinstance(row_id, str) or not row_id:
            return None
        return (entity, row_id) if entity in self._entities else None

    def _has_room(self, connection: Connection, key: RowKey) -> bool:
        """As it looks from here, to save the store the work; ``_begin`` decides."""
        held = self._held.get(connection, {})
        return key in held or (
            len(held) < self._limits.documents_per_connection_max
            and self._count < self._limits.document_subscriptions_max
        )

    def _snapshot(self, auth: AuthContext, entity: str, row_id: str) -> bytes | None:
        """The document, judged by the row of the same state; made when the row has none yet."""
        with self._store.read() as reader:
            if not self._may_read(reader, auth, entity, row_id):
                return None
            document = reader.document(entity, row_id)
        if document is not None:
            return document
        return self._store.transact(partial(self._open, auth, entity, row_id))

    def _open(self, auth: AuthContext, entity: str, row_id: str, tx: DocumentTx) -> bytes | None:
        return tx.open_document(entity, row_id) if self._may_read(tx, auth, entity, row_id) else None

    def _may_read(self, reader: DocumentReader, auth: AuthContext, entity: str, row_id: str) -> bool:
        row = reader.get(entity, row_id)
        return row is not None and self._policy.may_read(entity, auth, row)

    # On the dispatcher's thread

    def deliver(self, start: int, end: int) -> None:
        self._delivered_end = end
        if not self._rows:
            return
        for position in range(start, end):
            entry = self._hub.events.entry(position)
            if entry is None:
                for connection in list(self._held):
                    self._hub.sender.close_for_lag(connection)
                return
            event = entry.event
            audiences = self._rows.get((event.entity, event.row_id))
            if audiences is not None:
                self._tell(
                    event, [(audience, _begun(members, position)) for audience, members in audiences.items()]
                )

    def drop(self, connection: Connection) -> None:
        for key in self._held.pop(connection, ()):
            self._remove(connection, key)

    def _begin(self, connection: Connection, key: RowKey, snapshot: bytes, seen_end: int) -> None:
        """Send the document, and what was delivered to others since it was read."""
        if connection.state is not ConnectionState.OPEN or not self._add(connection, key, seen_end):
            return
        self._hub.sender.push((connection,), snapshot)
        for position in range(seen_end, self._delivered_end):
            if not self._is_held(connection, key):
                return
            entry = self._hub.events.entry(position)
            if entry is None:
                self._hub.sender.close_for_lag(connection)
                return
            if (entry.event.entity, entry.event.row_id) == key:
                self._tell(entry.event, [(connection.audience, (connection,))])

    def _tell(self, event: ChangeEvent, readers: Collection[tuple[Audience, tuple[Connection, ...]]]) -> None:
        """Send the members what the event added, and end the subscriptions of those who lost sight of the row."""
        frame = self._frame(event)
        for audience, members in readers:
            try:
                is_seen = self._sees(audience, event)
            except Exception:  # noqa: BLE001 - an event that cannot be judged must not end everybody's events
                self._hub.sender.close_for_fault(members)
                continue
            if not is_seen:
                for connection in members:
                    self._end(connection, (event.entity, event.row_id))
            elif frame is not None:
                self._hub.sender.push(members, frame)

    def _frame(self, event: ChangeEvent) -> bytes | None:
        if event.delta is None or event.row is None:
            return None
        payload = crdt_frame(CrdtFrameKind.UPDATE, event.entity, event.row_id, event.delta)
        return None if payload is None else binary_frame(payload)

    def _sees(self, audience: Audience, event: ChangeEvent) -> bool:
        return sight(event, lambda row: self._policy.may_read(event.entity, audience.auth, row)) is Sight.ROW

    def _add(self, connection: Connection, key: RowKey, start: int) -> bool:
        """False when there is no room."""
        if not self._has_room(connection, key):
            return False
        held = self._held.setdefault(connection, {})
        if key not in held:
            held[key] = None
            self._count += 1
        self._rows.setdefault(key, {}).setdefault(connection.audience, {})[connection] = start
        return True

    def _is_held(self, connection: Connection, key: RowKey) -> bool:
        return key in self._held.get(connection, ())

    def _end(self, connection: Connection, key: RowKey) -> None:
        if self._is_held(connection, key):
            held = self._held[connection]
            del held[key]
            if not held:
                del self._held[connection]
            self._remove(connection, key)

    def _remove(self, connection: Connection, key: RowKey) -> None:
        self._count -= 1
        audiences = self._rows[key]
        members = audiences[connection.audience]
        del members[connection]
        if not members:
            del audiences[connection.audience]
        if not audiences:
            del self._rows[key]


def _begun(members: Mapping[Connection, int], position: int) -> tuple[Connection, ...]:
    return tuple(connection for connection, start in members.items() if start <= position)
