"""Collaborative documents: the feed of those who edit single rows together (contract 05 §7.4).

Whoever subscribes to a row is sent its document as it is, and from then on what each commit adds to it. While they
may not read the row, or there is none, the subscription is *hidden*: it is sent nothing. When the row can be seen
again, the document is read anew and sent whole, for what was added meanwhile was not sent, and it may be another
one. A row that cannot be seen yet is subscribed to in the same way. All of this is silent: what becomes of rows is
said by the change feed.

Requests come on their connections' reader threads, which ask the store; what is shown again is read on the feed's
own thread, once for all. Everything that is remembered belongs to the dispatcher's thread.

No change falls between the two: a reading notes the end of the log before it begins, and subscriptions go on with
the entries from there. What is in both is imported twice, which changes nothing. Entries before that end, though
they may not have been delivered yet, say nothing to it: the row may have been hidden in them.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.ids import is_client_row_id
from pylon_core.turns import blocking
from pylon_http import ChangeEvent
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.audience import Audience, ReadPolicy
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.feeds import MessageHandler
from pylon_runtime.hub.frames import binary_frame
from pylon_runtime.hub.hub import Hub
from pylon_runtime.hub.mailbox import Call
from pylon_runtime.threads import join, spawn
from pylon_sync.crdt_wire import NAME_BYTES_MAX, CrdtFrameKind, crdt_frame
from pylon_sync.visibility import Sight, sight

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Row = Mapping[str, Any]
RowKey = tuple[str, str]
"""Entity and row id."""

_HIDDEN = -1
"""Where a subscription begins that is sent nothing until the row is shown: no position of the log."""


_UNREAD = "A document could not be read."


class DocumentReader(Protocol):
    """One consistent state of the store."""

    def get(self, entity: str, row_id: str, /) -> Row | None: ...

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
    def __init__(
        self, hub: Hub, store: DocumentStore, policy: ReadPolicy, entities: Collection[str], clock: Clock
    ) -> None:
        """``entities`` are those whose rows have documents."""
        self._hub = hub
        self._store = store
        self._policy = policy
        self._entities = entities
        self._clock = clock
        self._limits = hub.limits
        self._delivered_end = 0
        self._rows: dict[RowKey, dict[Audience, dict[Connection, int]]] = {}
        """Who is told of a row, each from a position of the log on, or is hidden from."""
        self._held: dict[Connection, dict[RowKey, None]] = {}
        self._count = 0
        self._places = threading.BoundedSemaphore(hub.limits.documents_read_at_once_max)
        """Taken while a reader has a document in its hands."""
        self._shown: dict[RowKey, set[Audience]] = {}
        """Rows that are to be read for subscriptions hidden so far, and who has seen them."""
        self._to_read: SimpleQueue[RowKey | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def start(self) -> None:
        if self._thread is None:
            self._thread = spawn("hub-documents", self._read_shown)

    def stop(self, deadline: float) -> None:
        """End the thread that reads; after the hub, which has sent everybody away."""
        self._is_stopping = True
        self._to_read.put(None)
        if self._thread is not None:
            join([self._thread], deadline, self._clock)

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
        with blocking():
            self._places.acquire()
        try:
            begin = self._beginning(connection, key)
            if begin is not None:
                self._hub.await_call(begin)
        finally:
            self._places.release()

    def _beginning(self, connection: Connection, key: RowKey) -> Call | None:
        """What begins the subscription, with the document as it is now; nothing else of what was read is kept."""
        seen_end = self._hub.events.end
        try:
            row, document = self._read(key, lambda row: self._policy.may_read(key[0], connection.auth, row))
        except PylonError as error:
            if _may_pass(error):
                # A client asks for a document once, when it connects.
                self._hub.close(connection, close_codes.TRY_AGAIN_LATER, _UNREAD)
            return None
        if row is None and not is_client_row_id(key[1]):
            return None
        return partial(self._begin, connection, key, _whole(key, document), seen_end)

    def _unsubscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        key = self._row_named(message)
        if key is not None:
            self._hub.await_call(partial(self._end, connection, key))

    def _row_named(self, message: Mapping[str, Any]) -> RowKey | None:
        entity, row_id = message.get("entity"), message.get("rowId") or message.get("row_id")
        if not isinstance(entity, str) or not isinstance(row_id, str) or not row_id:
            return None
        is_tellable = len(row_id.encode(errors="replace")) <= NAME_BYTES_MAX
        return (entity, row_id) if is_tellable and entity in self._entities else None

    def _has_room(self, connection: Connection, key: RowKey) -> bool:
        """As it looks from here, to save the store the work; ``_begin`` decides."""
        held = self._held.get(connection, {})
        return key in held or (
            len(held) < self._limits.documents_per_connection_max
            and self._count < self._limits.document_subscriptions_max
        )

    # On that thread, or on the one that reads what is shown again

    def _read(self, key: RowKey, wanted: Callable[[Row], bool]) -> tuple[Row | None, bytes | None]:
        """The row and, if it is wanted, its document, in one state; the document is made when there is none."""
        with self._store.read() as reader:
            row = reader.get(*key)
            if row is None or not wanted(row):
                return row, None
            document = reader.document(*key)
        if document is not None:
            return row, document
        return self._store.transact(partial(self._open, key, wanted))

    def _open(self, key: RowKey, wanted: Callable[[Row], bool], tx: DocumentTx) -> tuple[Row | None, bytes | None]:
        row = tx.get(*key)
        return row, tx.open_document(*key) if row is not None and wanted(row) else None

    def _read_shown(self) -> None:
        while (key := self._to_read.get()) is not None and not self._is_stopping:
            seen_end = self._hub.events.end
            try:
                # Whoever saw it may have lost sight of it again: who may have it is decided with the row.
                row, document = self._read(key, lambda _row: True)
            except PylonError as error:
                self._hub.post(partial(self._give_up, key, error))
            except Exception:  # noqa: BLE001 - who waits for it must hear of it, and others be read after it
                _log.exception("document_read_failed")
                self._hub.post(partial(self._give_up, key, PylonError("INTERNAL", _UNREAD)))
            else:
                self._hub.await_call(partial(self._show, key, row, _whole(key, document), seen_end))

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
            if (entry.event.entity, entry.event.row_id) in self._rows:
                self._tell(entry.event, position)

    def drop(self, connection: Connection) -> None:
        for key in self._held.pop(connection, ()):
            self._remove(connection, key)

    def _begin(self, connection: Connection, key: RowKey, whole: bytes | None, seen_end: int) -> None:
        if connection.state is ConnectionState.OPEN and self._add(connection, key):
            self._bring_up(key, connection.audience, (connection,), whole, seen_end)

    def _show(self, key: RowKey, row: Row | None, whole: bytes | None, seen_end: int) -> None:
        """The row was read for those it was hidden from."""
        self._shown.pop(key, None)
        for audience, members in list(self._rows.get(key, {}).items()):
            hidden = _hidden(members)
            if not hidden:
                continue
            try:
                may_read = row is not None and self._policy.may_read(key[0], audience.auth, row)
            except Exception:  # noqa: BLE001 - a row that cannot be judged must not end everybody's events
                self._hub.sender.close_for_fault(hidden)
                continue
            self._bring_up(key, audience, hidden, whole if may_read else None, seen_end)

    def _give_up(self, key: RowKey, error: PylonError) -> None:
        for audience in self._shown.pop(key, ()):
            for connection in _hidden(self._rows.get(key, {}).get(audience, {})):
                if _may_pass(error):
                    self._hub.close(connection, close_codes.TRY_AGAIN_LATER, _UNREAD)
                else:
                    self._end(connection, key)

    def _bring_up(
        self, key: RowKey, audience: Audience, readers: tuple[Connection, ...], whole: bytes | None, seen_end: int
    ) -> None:
        """Send the document as it was read (``None``: the row was hidden), and what was delivered to others since.
        A row hidden since is to be read again when it is shown, for what was added then was not for everybody."""
        frames = [] if whole is None else [whole]
        for position in range(seen_end, self._delivered_end):
            entry = self._hub.events.entry(position)
            if entry is None:
                for connection in readers:
                    self._hub.sender.close_for_lag(connection)
                return
            if (entry.event.entity, entry.event.row_id) != key:
                continue
            is_seen = self._sees(audience, entry.event, readers)
            if is_seen is None:
                return
            if not is_seen:
                frames = []
            elif frames:
                frames += self._added(entry.event)
            else:
                self._want(key, audience)
        self._rows[key][audience].update(dict.fromkeys(readers, seen_end if frames else _HIDDEN))
        for frame in frames:
            self._hub.sender.push(readers, frame)

    def _tell(self, event: ChangeEvent, position: int) -> None:
        """Send those who may read the row what the event added, and nothing more to those who may not."""
        key = (event.entity, event.row_id)
        added = self._added(event)
        for audience, members in list(self._rows[key].items()):
            begun = tuple(connection for connection, start in members.items() if start <= position)
            is_seen = self._sees(audience, event, begun) if begun else None
            if is_seen is None:
                continue
            if not is_seen:
                members.update(dict.fromkeys(begun, _HIDDEN))
                continue
            following = tuple(connection for connection in begun if members[connection] != _HIDDEN)
            if len(following) < len(begun):
                self._want(key, audience)
            for frame in added:
                self._hub.sender.push(following, frame)

    def _want(self, key: RowKey, audience: Audience) -> None:
        """Have the row read for those of the audience it was hidden from. One reading is enough for all that was
        delivered before it began, and what comes later is looked at when it has ended."""
        if key not in self._shown:
            self._to_read.put(key)
        self._shown.setdefault(key, set()).add(audience)

    def _added(self, event: ChangeEvent) -> list[bytes]:
        """At most one frame."""
        if event.delta is None or event.row is None:
            return []
        payload = crdt_frame(CrdtFrameKind.UPDATE, event.entity, event.row_id, event.delta)
        return [] if payload is None else [binary_frame(payload)]

    def _sees(self, audience: Audience, event: ChangeEvent, readers: Collection[Connection]) -> bool | None:
        """Whether they may read the row after the event; ``None``: nobody can tell, and they are closed."""
        try:
            return sight(event, lambda row: self._policy.may_read(event.entity, audience.auth, row)) is Sight.ROW
        except Exception:  # noqa: BLE001 - an event that cannot be judged must not end everybody's events
            self._hub.sender.close_for_fault(readers)
            return None

    def _add(self, connection: Connection, key: RowKey) -> bool:
        """Hidden at first. False when there is no room."""
        if not self._has_room(connection, key):
            return False
        held = self._held.setdefault(connection, {})
        if key not in held:
            held[key] = None
            self._count += 1
            self._rows.setdefault(key, {}).setdefault(connection.audience, {})[connection] = _HIDDEN
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


def _hidden(members: Mapping[Connection, int]) -> tuple[Connection, ...]:
    return tuple(connection for connection, start in members.items() if start == _HIDDEN)


def _whole(key: RowKey, document: bytes | None) -> bytes | None:
    """One copy of the document, which may be large."""
    head = None if document is None else crdt_frame(CrdtFrameKind.SNAPSHOT, *key, b"")
    return None if head is None or document is None else binary_frame(head, document)


def _may_pass(error: PylonError) -> bool:
    """Whether reading may work later."""
    return error.status >= 500 or error.code == "CONFLICT"
