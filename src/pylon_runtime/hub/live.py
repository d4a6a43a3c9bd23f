"""Live queries: the feed of those who want the rows of a query, kept up to date (``docs/live-queries.md``).

Connections that may read the same rows and ask the same query form a group. A change is judged once for a group,
in memory, and what it makes different is encoded once for all. The store is asked for the first subscriber of a
group, on the thread that reads their socket, and again, on the feed's own thread, when the rows kept are used
up; never on the dispatcher's. Users take turns in what is read again. Everything that is remembered belongs to the
dispatcher's thread.

What is read and what follows meet exactly: rows are read together with the newest seq of their state, and the
group goes on with the entries of the hub's log behind that seq. When those are gone it is read again.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import ChangeEvent, Filter
from pylon_router import RouterContext
from pylon_router.live_queries import parse_live_query, readable_rows
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.fair_queue import FairQueue
from pylon_runtime.hub.feeds import MessageHandler
from pylon_runtime.hub.frames import text_frame
from pylon_runtime.hub.hub import Hub
from pylon_runtime.hub.live_group import GroupKey, GroupState, LiveGroup, Question, Reading
from pylon_runtime.threads import join, spawn
from pylon_sync.live import LiveQuery, QueryIndex

ID_CHARS_MAX = 64
REREADS_MAX = 8
"""In a row, for one group, without its having caught up with the log."""

_log = structlog.get_logger(__name__)

_LIVE, _READING, _REREADING, _ENDED = GroupState.LIVE, GroupState.READING, GroupState.REREADING, GroupState.ENDED


class LiveStats(msgspec.Struct, frozen=True):
    groups: int
    outstanding: int
    """Groups that wait for the store."""
    seq: int
    """The newest change that was looked at."""


class LiveError(msgspec.Struct, frozen=True, tag_field="type", tag="live-error"):
    id: str
    code: str
    message: str


class LiveQueries:
    def __init__(self, hub: Hub, context: RouterContext) -> None:
        self._hub = hub
        self._context = context
        self._limits = hub.limits
        self._numbers = itertools.count(1)
        self._groups: dict[GroupKey, LiveGroup] = {}
        self._index = QueryIndex[LiveGroup]()
        self._held: dict[Connection, dict[str, LiveGroup]] = {}
        self._held_by: Counter[Hashable] = Counter()
        """How many by whom, of all their connections."""
        self._weight = 0
        self._position = 0
        """Of the next entry of the log to look at."""
        self._seq = 0
        self._to_reread = FairQueue[LiveGroup]()
        self._thread: threading.Thread | None = None

    @property
    def messages(self) -> Mapping[str, MessageHandler]:
        return {"live-subscribe": self._subscribe, "live-unsubscribe": self._unsubscribe}

    @property
    def refusals(self) -> Mapping[str, MessageHandler]:
        return {"live-subscribe": self._refuse_long}

    def start(self) -> None:
        if self._thread is None:
            self._thread = spawn("hub-live-queries", self._reread)

    def stop(self, deadline: float) -> None:
        """End the thread that reads; after the hub, which has sent everybody away."""
        self._to_reread.close()
        if self._thread is not None:
            join([self._thread], deadline, self._context.clock)

    def stats(self) -> LiveStats:
        groups = list(self._groups.values())
        return LiveStats(len(groups), sum(group.state is not _LIVE for group in groups), self._seq)

    # On the thread of a connection's reader

    def _subscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        query_id = _query_id(message)
        if query_id is None:
            return
        try:
            query = parse_live_query(message)
            rows = readable_rows(self._context, connection.auth, query)
        except PylonError as refusal:
            self._hub.post(partial(self._refuse, connection, query_id, refusal))
            return
        self._hub.await_sent(connection)
        unread: list[LiveGroup] = []
        self._hub.await_call(partial(self._join, connection, query_id, query, rows, unread.append))
        for group in unread:
            self._read(group)

    def _refuse_long(self, connection: Connection, message: Mapping[str, Any]) -> None:
        query_id = _query_id(message)
        if query_id is not None:
            kib = self._limits.text_chars_max >> 10
            refusal = PylonError("PAYLOAD_TOO_LARGE", f"A live query is asked in at most {kib} KiB.")
            self._hub.post(partial(self._refuse, connection, query_id, refusal))

    def _unsubscribe(self, connection: Connection, message: Mapping[str, Any]) -> None:
        query_id = _query_id(message)
        if query_id is not None:
            self._hub.post(partial(self._leave, connection, query_id))

    # On that thread, or on the one that reads again

    def _reread(self) -> None:
        while (group := self._to_reread.take()) is not None:
            self._read(group)

    def _read(self, group: LiveGroup) -> None:
        try:
            reading = group.read(self._context.store)
        except PylonError as error:
            self._hub.post(partial(self._end, group, error))
        except Exception:  # noqa: BLE001 - whoever asked must hear of it, and others be read after it
            _log.exception("live_query_failed")
            self._hub.post(partial(self._end, group, PylonError("INTERNAL", "The query could not be read.")))
        else:
            self._hub.post(partial(self._go_on, group, reading))

    # On the dispatcher's thread: who is told what

    def _join(
        self,
        connection: Connection,
        query_id: str,
        query: LiveQuery,
        rows: Filter,
        unread: Callable[[LiveGroup], None],
    ) -> None:
        """``unread`` is told of a group that is new."""
        if connection.state is not ConnectionState.OPEN:
            return
        self._hub.sender.withdraw(connection)
        self._leave(connection, query_id)
        key = (connection.audience_key, query.key)
        group = self._groups.get(key)
        refusal = self._refusal(connection, group)
        if refusal is not None:
            self._refuse(connection, query_id, refusal)
            return
        if group is None:
            group = self._groups[key] = self._make(key, connection, query, rows)
            unread(group)
        self._held.setdefault(connection, {})[query_id] = group
        self._held_by[connection.holder] += 1
        group.members.setdefault(connection, {})[query_id] = None
        if group.state is not _READING:
            self._hub.sender.push((connection,), group.rows(query_id))

    def _refusal(self, connection: Connection, group: LiveGroup | None) -> PylonError | None:
        if len(self._held.get(connection, ())) >= self._limits.live_queries_per_connection_max:
            return PylonError("SUBSCRIBE_FAILED", "This connection has too many live queries.", status=429)
        if self._held_by[connection.holder] >= self._limits.live_queries_per_holder_max:
            return PylonError("SUBSCRIBE_FAILED", "This user has too many live queries.", status=429)
        if group is None and (
            len(self._groups) >= self._limits.live_queries_max
            or self._weight >= self._limits.live_queries_bytes_max
        ):
            return _no_room()
        return None

    def _make(self, key: GroupKey, connection: Connection, query: LiveQuery, rows: Filter) -> LiveGroup:
        context = self._context
        may_read = context.policies.reader(query.entity, connection.auth)
        question = Question(query, context.entity(query.entity), rows, may_read, context.project)
        return LiveGroup(next(self._numbers), key, question, self._limits)

    def _leave(self, connection: Connection, query_id: str) -> None:
        held = self._held.get(connection, {})
        group = held.pop(query_id, None)
        if group is not None:
            self._give_back(connection.holder, 1)
            del group.members[connection][query_id]
            if not group.members[connection]:
                self._dismiss(group, connection)
            if not held:
                del self._held[connection]

    def drop(self, connection: Connection) -> None:
        held = self._held.pop(connection, {})
        self._give_back(connection.holder, len(held))
        for group in {group.number: group for group in held.values()}.values():
            self._dismiss(group, connection)

    def _give_back(self, holder: Hashable, count: int) -> None:
        self._held_by[holder] -= count
        if not self._held_by[holder]:
            del self._held_by[holder]

    def _dismiss(self, group: LiveGroup, connection: Connection) -> None:
        del group.members[connection]
        if not group.members:
            self._remove(group)

    def _refuse(self, connection: Connection, query_id: str, error: PylonError) -> None:
        self._hub.sender.withdraw(connection)
        self._leave(connection, query_id)
        frame = text_frame(jsontext.encode(LiveError(query_id, error.code, error.message)))
        self._hub.sender.push((connection,), frame)

    def _end(self, group: LiveGroup, error: PylonError) -> None:
        """Nobody is told of its rows any more, and everybody is told why."""
        if group.state is _ENDED:
            return
        for connection, query_ids in list(group.members.items()):
            for query_id in list(query_ids):
                self._refuse(connection, query_id, error)

    def _remove(self, group: LiveGroup) -> None:
        group.state = _ENDED
        self._to_reread.discard(group)
        self._weight -= group.weight
        del self._groups[group.key]
        if group.selection is not None:
            self._index.remove(group, group.entity, group.selection.equality, group.window.held)

    # On the dispatcher's thread: what changes

    def deliver(self, start: int, end: int) -> None:
        """Every group hears of all of it before any is told, so that a transaction is told as one."""
        self._position = end
        if not self._groups:
            return
        concerned: dict[LiveGroup, None] = {}
        for position in range(start, end):
            entry = self._hub.events.entry(position)
            if entry is None:
                self._miss()
                continue
            event = entry.event
            self._seq = event.seq
            for group in self._index.concerned(event.entity, event.row_id, event.row):
                if group.state is _LIVE and event.seq > group.seq and self._apply(group, event):
                    concerned[group] = None
        for group in concerned:
            if group.state is _LIVE:
                self._settle(group)

    def _miss(self) -> None:
        """An entry was evicted before it was looked at: what was read before it was committed is of no use."""
        for group in list(self._groups.values()):
            if group.state is _LIVE:
                self._read_again(group)
            else:
                group.is_outdated = True

    def _go_on(self, group: LiveGroup, reading: Reading) -> None:
        """With what was read, and what of the log comes behind it."""
        if group.state is _ENDED:
            return
        if group.is_outdated:
            group.is_outdated = False
            self._read_again(group)
            return
        self._take_in(group, reading)
        missed = self._missed_since(group.seq)
        if missed is None:
            self._read_again(group)
        else:
            self._catch_up(group, missed)

    def _catch_up(self, group: LiveGroup, missed: Sequence[ChangeEvent]) -> None:
        for event in missed:
            if event.entity == group.entity and group.state is not _ENDED:
                self._apply(group, event)
        if group.state is not _ENDED:
            self._settle(group)

    def _take_in(self, group: LiveGroup, reading: Reading) -> None:
        if group.selection is None:
            self._index.add(group, group.entity, reading.selection.equality)
        for row_id in list(group.window.held):
            self._index.release(group, group.entity, row_id)
        group.take_in(reading)
        for row_id in group.window.held:
            self._index.hold(group, group.entity, row_id)

    def _missed_since(self, seq: int) -> list[ChangeEvent] | None:
        """The changes behind a seq that were looked at without the group; ``None`` when they are gone."""
        if seq >= self._seq:
            return []
        missed: list[ChangeEvent] = []
        for position in range(self._position - 1, -1, -1):
            entry = self._hub.events.entry(position)
            if entry is None:
                return None
            if entry.event.seq <= seq:
                break
            missed.append(entry.event)
        missed.reverse()
        return missed

    def _apply(self, group: LiveGroup, event: ChangeEvent) -> bool:
        """Whether something is different now. A change that cannot be judged ends the group with its members'
        connections: they must not miss it."""
        try:
            changed = group.apply(event)
        except Exception:  # noqa: BLE001 - an event that cannot be judged must not end everybody's events
            self._hub.sender.close_for_fault(group.members)
            return False
        for row_id in changed:
            if group.window.holds(row_id):
                self._index.hold(group, group.entity, row_id)
            else:
                self._index.release(group, group.entity, row_id)
        return bool(changed)

    def _settle(self, group: LiveGroup) -> None:
        """After changes: tell what is different now, unless it must be read first."""
        window = group.window
        self._weight += window.weight - group.weight
        group.weight = window.weight
        if window.is_short:
            self._read_again(group)
        elif window.weight > self._limits.live_query_bytes_max:
            self._end(group, PylonError("PAYLOAD_TOO_LARGE", "The rows of the live query have become too large."))
        elif self._weight > self._limits.live_queries_bytes_max:
            self._end(group, _no_room())
        else:
            self._tell(group)

    def _tell(self, group: LiveGroup) -> None:
        is_first, group.state, group.rereads = group.state is _READING, _LIVE, 0
        try:
            frame = group.difference(max(group.seq, self._seq))
            if is_first:
                for connection, query_ids in list(group.members.items()):
                    for query_id in list(query_ids):
                        self._hub.sender.push((connection,), group.rows(query_id))
            elif frame is not None:
                self._hub.sender.push(tuple(group.members), frame)
        except Exception:  # noqa: BLE001 - as in ``_apply``
            self._hub.sender.close_for_fault(group.members)

    def _read_again(self, group: LiveGroup) -> None:
        if group.rereads == REREADS_MAX:
            self._end(
                group, PylonError("NOT_AVAILABLE", "The query could not keep up with the changes. Try again.")
            )
            return
        group.rereads += 1
        if group.state is _LIVE:
            group.state = _REREADING
        self._to_reread.put(group, {connection.holder for connection in group.members})


def _query_id(message: Mapping[str, Any]) -> str | None:
    """``None`` when it is no proper one."""
    query_id = message.get("id")
    return query_id if isinstance(query_id, str) and 0 < len(query_id) <= ID_CHARS_MAX else None


def _no_room() -> PylonError:
    return PylonError("NOT_AVAILABLE", "The server keeps as many live queries as it can. Try again later.")
