"""The dispatcher: one thread that owns every registered socket and decides every byte that is sent to it.

It goes round: hand over what sockets became able to take, make the calls posted to it, fan out what is new in
the log, bring some laggards on, look for those whose time is up (``Overdue``). No send waits (``SocketWriter``),
so nobody's slowness is anybody else's. Its state has no lock because nothing else touches it: other threads post
to the mailbox, append to the log, or add to the relays. Methods without underscore are what the mailbox and feeds
may call.
"""

import socket
import time
from collections import deque
from collections.abc import Collection, Hashable
from contextlib import suppress

import structlog

from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.audience import Audience, FellBehindError, FrameSource
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.feeds import Feed
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.log import EventLog
from pylon_runtime.hub.mailbox import Call, Mailbox
from pylon_runtime.hub.overdue import Overdue
from pylon_runtime.hub.relay import RelayQueue, disconnect_notice
from pylon_runtime.hub.writer import SocketWriter

_log = structlog.get_logger(__name__)

_REPLACED = "The server is being replaced; pull, then reconnect."

_AFTER_FAULT_S = 0.1
"""So that a fault that stays does not keep everybody else from computing."""

_OPEN, _CLOSING = ConnectionState.OPEN, ConnectionState.CLOSING
_LEAVING, _GONE = ConnectionState.LEAVING, ConnectionState.GONE


class Dispatcher:
    def __init__(
        self,
        mailbox: Mailbox,
        log: EventLog,
        relays: RelayQueue,
        source: FrameSource,
        limits: HubLimits,
        clock: Clock,
    ) -> None:
        self._mailbox = mailbox
        self._log = log
        self._relays = relays
        self._source = source
        self._limits = limits
        self._clock = clock
        self._now = clock.monotonic()
        self._next_tick = self._now
        self._stop_at: float | None = None
        self._is_on = True
        self._writer = SocketWriter(
            mailbox.fd, clock, on_blocked=self._fall_out_of_step, on_free=self._go_on, on_broken=self._cut
        )
        self._calls: deque[Call] = deque()
        self._delivered_end = log.end
        self._audiences: dict[Hashable, Audience] = {}
        self._tenants: dict[str | None, dict[Connection, None]] = {}
        self._feeds: list[Feed] = []
        self._behind: deque[Connection] = deque()
        self.connections: set[Connection] = set()
        self._overdue = Overdue(
            self.connections,
            log,
            self._writer,
            limits,
            clock,
            close=self.close,
            close_for_lag=self.close_for_lag,
            cut=self._cut,
        )
        self.frames_sent = 0
        self.closed_for_lag = 0

    def run(self) -> None:
        try:
            while not self._is_over():
                try:
                    self.go_round()
                except Exception:  # noqa: BLE001 - the top of the thread, without which nobody is told anything more
                    self._begin_anew()
        finally:
            self._let_all_go()

    def _begin_anew(self) -> None:
        """After a fault of ours nobody knows who was told what: everybody is closed, and comes back."""
        _log.exception("hub_round_failed")
        for connection in list(self.connections):
            self.close(connection, close_codes.INTERNAL_ERROR, "The server failed; pull, then reconnect.")
        time.sleep(_AFTER_FAULT_S)

    def add_feed(self, feed: Feed) -> None:
        """Before ``run``."""
        self._feeds.append(feed)

    @property
    def unsent_bytes(self) -> int:
        return self._writer.held.total

    # What the mailbox may call

    def join(self, connection: Connection) -> None:
        """Take a connection in, behind its audience by the replay; from here on it misses nothing."""
        wire = connection.wire
        key = (wire, connection.audience_key)
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = Audience(key, connection.auth, wire, self._log.end)
        audience.members += 1
        connection.audience = audience
        connection.position = min(self._log.replay_start(self._now - self._limits.replay_s), audience.position)
        self.connections.add(connection)
        if wire.is_two_way:
            self._tenants.setdefault(connection.auth.tenant_id, {})[connection] = None
        self._behind.append(connection)
        self._overdue.watch(connection, self._now)
        if self._stop_at is not None:
            self.close(connection, close_codes.GOING_AWAY, "The server is stopping.")
        elif not self._is_on:
            self.close(connection, close_codes.SERVICE_RESTART, _REPLACED)

    def turn(self, is_on: bool) -> None:  # noqa: FBT001 - as it is told
        """Off, nobody stays connected."""
        self._is_on = is_on
        if not is_on:
            for connection in list(self.connections):
                self.close(connection, close_codes.SERVICE_RESTART, _REPLACED)

    def flush_outbox(self, connection: Connection) -> None:
        if connection.state is _OPEN and connection.unsent is None and connection.outbox:
            self._writer.write(connection, connection.take_replies())

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """Say farewell after what is half sent, and nothing after it."""
        if connection.state is not _OPEN:
            return
        self._retire(connection, _CLOSING)
        connection.farewell = connection.wire.farewell(code, reason)
        if connection.unsent is None:
            self._go_on(connection)

    def close_session(self, session_id: str, code: int, reason: str) -> None:
        for connection in list(self.connections):
            if connection.auth.session_id == session_id:
                self.close(connection, code, reason)

    def identities(self) -> set[AuthContext]:
        return {connection.auth for connection in self.connections}

    def leave(self, connection: Connection) -> None:
        """The reader has ended: send its last replies, then let go of the socket."""
        if connection.state is _OPEN:
            self._retire(connection, _LEAVING)
        elif connection.state is _CLOSING:
            connection.state = _LEAVING
            connection.outbox.clear()
        if connection.unsent is None:
            self._go_on(connection)

    def stop(self, deadline: float) -> None:
        """Close every connection, and end once all are gone or the deadline has passed.

        What was committed before comes first: the last request that was answered is seen by everybody.
        """
        self._deliver_new()
        self._stop_at = deadline
        for connection in list(self.connections):
            self.close(connection, close_codes.GOING_AWAY, "The server is stopping.")

    # One round

    def go_round(self) -> None:
        """One round; ``run`` makes them until the stop."""
        self._writer.wait(self._patience())
        self._now = self._clock.monotonic()
        self._make_calls(self._mailbox.take())
        self._deliver_new()
        self._deliver_relays()
        self._bring_on_laggards()
        self._overdue.make_room()
        if self._now >= self._next_tick:
            self._next_tick = self._now + self._limits.tick_s
            self._tick()

    def _tick(self) -> None:
        self._log.evict_older(self._now - self._limits.replay_s - self._limits.stall_s)
        self._overdue.look(self._now)

    def _make_calls(self, calls: list[Call]) -> None:
        self._calls.extend(calls)
        while self._calls:
            self._calls.popleft()()

    def _patience(self) -> float | None:
        if self._behind:
            return 0
        if self._stop_at is not None:
            return max(0.0, min(self._stop_at - self._now, self._limits.tick_s))
        return self._limits.tick_s if self.connections else None

    def _is_over(self) -> bool:
        return self._stop_at is not None and (not self.connections or self._now >= self._stop_at)

    def _deliver_new(self) -> None:
        start, end = self._delivered_end, self._log.end
        if end == start:
            return
        self._delivered_end = end
        for audience in list(self._audiences.values()):
            while audience.position < end and audience.in_step:
                frames, audience.position = self._stretch(audience, audience.position, end, audience.in_step)
                self._fan_out(audience.in_step, frames)
            audience.position = end
        for feed in self._feeds:
            feed.deliver(start, end)

    def _deliver_relays(self) -> None:
        for tenant_id, frames in self._relays.take().items():
            members = self._tenants.get(tenant_id, ())
            ready = [connection for connection in members if connection.unsent is None]
            self._relays.dropped += len(members) - len(ready)
            self._fan_out(ready, frames)

    def _bring_on_laggards(self) -> None:
        until = self._clock.monotonic() + self._limits.catch_up_s
        for _ in range(len(self._behind)):
            connection = self._behind.popleft()
            if connection.state is _OPEN and connection.unsent is None and connection.follows:
                self._catch_up(connection)
            if self._clock.monotonic() >= until:
                return

    def _catch_up(self, connection: Connection) -> None:
        """Send one slice of what a connection misses."""
        audience = connection.audience
        frames, connection.position = self._stretch(audience, connection.position, audience.position, [connection])
        self.frames_sent += len(frames)
        if frames and not self._writer.write(connection, b"".join(frames)):
            return
        if connection.position < audience.position:
            self._behind.append(connection)
        elif connection.state is _OPEN:
            audience.in_step[connection] = None

    def _stretch(
        self, audience: Audience, start: int, end: int, readers: Collection[Connection]
    ) -> tuple[list[bytes], int]:
        """Frames for ``readers`` from ``start``; when they cannot be had, the readers are closed."""
        try:
            return self._source.stretch(audience, start, end)
        except FellBehindError:
            for connection in list(readers):
                self.close_for_lag(connection)
        except Exception:  # noqa: BLE001 - an event that cannot be judged must not end everybody's events
            # Nor may it be skipped: who should have been sent it must pull.
            self.close_for_fault(readers)
        return [], end

    def _fan_out(self, connections: Collection[Connection], frames: list[bytes]) -> None:
        if frames:
            self.frames_sent += len(frames) * len(connections)
            self._writer.write_to_all(connections, b"".join(frames))

    # What its writer tells

    def _fall_out_of_step(self, connection: Connection) -> None:
        """It is blocked; from here on it catches up by itself."""
        audience = connection.audience
        if connection in audience.in_step:
            del audience.in_step[connection]
            connection.position = audience.position

    def _go_on(self, connection: Connection) -> None:
        """What comes after the last byte of something was taken."""
        if connection.state is _OPEN:
            self.flush_outbox(connection)
            self._push_backlog(connection)
            self._behind.append(connection)
        elif connection.state is _CLOSING:
            self._say_farewell(connection)
        elif connection.state is _LEAVING:
            self._send_last_replies(connection)

    def _push_backlog(self, connection: Connection) -> None:
        if connection.unsent is None and connection.backlog:
            self._writer.write_backlog(connection)

    # What feeds may call

    def push(self, connections: Collection[Connection], frame: bytes) -> None:
        self.frames_sent += len(connections)
        for connection in connections:
            if connection.state is not _OPEN:
                continue
            if connection.unsent is None:
                self._writer.write(connection, frame)
            elif connection.backlog_bytes > self._limits.backlog_bytes_max:
                self.close_for_lag(connection)
            else:
                self._writer.keep_back(connection, frame)

    def withdraw(self, connection: Connection) -> None:
        if connection.state is _OPEN and connection.follows:
            connection.follows = False
            self._fall_out_of_step(connection)

    # Closing

    def _retire(self, connection: Connection, state: ConnectionState) -> None:
        """No event or relay will reach it any more; it has ``close_grace_s`` left. Once per connection."""
        connection.state = state
        self._overdue.ending(connection, self._now)
        audience = connection.audience
        audience.in_step.pop(connection, None)
        audience.members -= 1
        if not audience.members:
            del self._audiences[audience.key]
        self._writer.forget_backlog(connection)
        for feed in self._feeds:
            feed.drop(connection)
        if connection.wire.is_two_way:
            self._part(connection)

    def _part(self, connection: Connection) -> None:
        """Its presence ends, which the others of its tenant are told."""
        tenant = self._tenants[connection.auth.tenant_id]
        del tenant[connection]
        if not tenant:
            del self._tenants[connection.auth.tenant_id]
        elif self._stop_at is None:
            notice = disconnect_notice(connection.number, connection.auth.user_id)
            self._relays.add(connection.auth.tenant_id, notice)

    def close_for_lag(self, connection: Connection) -> None:
        self.closed_for_lag += 1
        self.close(connection, close_codes.TRY_AGAIN_LATER, "The connection fell behind; pull, then reconnect.")

    def close_for_fault(self, connections: Collection[Connection]) -> None:
        _log.exception("hub_event_failed")
        for connection in list(connections):
            self.close(connection, close_codes.INTERNAL_ERROR, "An event could not be sent.")

    def _say_farewell(self, connection: Connection) -> None:
        if connection.farewell:
            words, connection.farewell = connection.farewell, None
            if not self._writer.write(connection, words):
                return
        # The peer now reads the last words and then the end, while its own still find us reading.
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)

    def _send_last_replies(self, connection: Connection) -> None:
        if connection.outbox and not self._writer.write(connection, connection.take_replies()):
            return
        self._let_go(connection)

    def _cut(self, connection: Connection) -> None:
        """The socket is of no more use: its reader is made to end."""
        if connection.state is _OPEN:
            self._retire(connection, _CLOSING)
        self._overdue.ended(connection)
        self._writer.abandon(connection)
        connection.farewell = None
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
        if connection.state is _LEAVING:
            self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        self._writer.abandon(connection)
        self._overdue.ended(connection)
        self.connections.discard(connection)
        connection.state = _GONE
        connection.released.release()

    def _let_all_go(self) -> None:
        self._make_calls(self._mailbox.close())
        for connection in list(self.connections):
            self._cut(connection)
            if connection.state is not _GONE:
                self._let_go(connection)
        self._writer.close()
