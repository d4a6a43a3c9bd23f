"""The hub: committed changes in, frames and event streams out (design §3.4).

This is its face for the other threads: the store's committing thread publishes, reader threads register their
sockets and leave, anyone may relay or end a session. Each call only appends something and rings; the
dispatcher, one thread, does the work. The lock guards starting and stopping.
"""

import itertools
import math
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

import msgspec

from pylon_auth import NEVER_NS
from pylon_auth.context import AuthContext
from pylon_core.clock import Clock
from pylon_core.turns import blocking
from pylon_http import ChangeEvent, DataStore
from pylon_runtime.hub.audience import FrameSource, ReadPolicy
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.dispatcher import Dispatcher
from pylon_runtime.hub.feeds import Feed, MessageHandler, Sender
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.log import EventLog
from pylon_runtime.hub.mailbox import Call, Mailbox
from pylon_runtime.hub.priming import recent
from pylon_runtime.hub.relay import RelayQueue
from pylon_runtime.hub.wire import WEBSOCKET, Wire
from pylon_runtime.threads import join, spawn
from pylon_sync.wire import Projection

_LAST_WORDS_S = 0.25
"""What the dispatcher needs to cut and let go of the sockets that are left when its deadline has come."""
_LOOK_S = 0.02
"""How often a reader looks whether its client has taken what it was sent."""


class HubStats(msgspec.Struct, frozen=True):
    connections: int
    frames_sent: int
    closed_for_lag: int
    relays_dropped: int
    unsent_bytes: int
    """What waits in memory for clients that read slowly."""


class Hub:
    def __init__(self, policy: ReadPolicy, project: Projection, limits: HubLimits, clock: Clock) -> None:
        self._policy = policy
        self.limits = limits
        self._clock = clock
        self._numbers = itertools.count()
        self.events = EventLog(limits.log_events_max, limits.log_bytes_max)
        self._relays = RelayQueue(limits.relay_backlog_bytes_max)
        self._mailbox = Mailbox()
        self.messages: dict[str, MessageHandler] = {}
        """Who serves what clients say to feeds, by the type of the message."""
        self.refusals: dict[str, MessageHandler] = {}
        """Who answers those that are too long (``Feed.refusals``)."""
        self._dispatcher = Dispatcher(
            self._mailbox,
            self.events,
            self._relays,
            FrameSource(self.events, policy, project, limits),
            limits,
            clock,
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    @property
    def sender(self) -> Sender:
        """For feeds, on the dispatcher's thread."""
        return self._dispatcher

    def add_feed(self, feed: Feed) -> None:
        """Before ``start``."""
        self._dispatcher.add_feed(feed)
        self.messages |= feed.messages
        self.refusals |= feed.refusals

    def post(self, call: Call) -> bool:
        """Have the dispatcher make a call on its thread; false when it has ended."""
        return self._mailbox.post(call)

    def await_call(self, call: Call) -> None:
        """As ``post``, returning once the call is made, or will never be."""
        made = threading.Lock()
        made.acquire()

        def make() -> None:
            try:
                call()
            finally:
                made.release()

        if self._thread is not None and self._mailbox.post(make):
            with blocking():
                made.acquire()

    def await_sent(self, connection: Connection) -> None:
        """For its reader, before it asks for more to be sent: the client has taken what was, or it has ended. So
        the answers to however many requests do not pile up here."""
        while connection.unsent is not None and connection.state is ConnectionState.OPEN:
            with blocking():
                time.sleep(_LOOK_S)

    def start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopped:
                self._thread = spawn("hub-dispatcher", self._dispatcher.run)

    def stop(self, deadline: float) -> None:
        """Close every socket with 1001 and end by ``deadline``, an instant of the clock's ``monotonic``."""
        with self._lock:
            self._is_stopped = True
            thread = self._thread
        if thread is None:
            self._mailbox.close()
            return
        self._mailbox.post(partial(self._dispatcher.stop, deadline))
        join([thread], deadline + _LAST_WORDS_S, self._clock)

    def follow(self, store: DataStore) -> None:
        """Hear of every commit from now on, and of those just before: a client may have pulled from another
        server, or from the one that ran here before, and missed since then what it will not pull again.
        """
        self.events.await_priming()
        store.subscribe(self.publish)
        self.events.prime(recent(store, self.limits, self._clock), self._clock.monotonic())

    def turn(self, is_on: bool) -> None:  # noqa: FBT001 - as it is told
        """Off, close every socket (1012) and take none, until it is on again. Nobody who comes later is told of
        what was before this call."""
        self._mailbox.post(partial(self._dispatcher.turn, is_on))
        if not is_on:
            # Here and now: by the time the dispatcher comes to it, what belongs to the new time may be in the log.
            self.events.evict_older(math.inf)

    def publish(self, events: Sequence[ChangeEvent]) -> None:
        """Take in committed events, in seq order: the listener for ``DataStore.subscribe``. Never blocks."""
        self.events.append(events, self._clock.monotonic())
        if self._dispatcher.connections:
            self._mailbox.ring()

    def register(
        self,
        auth: AuthContext,
        sock: socket.socket,
        wire: Wire = WEBSOCKET,
        expires_ns: int = NEVER_NS,
        peer: str = "",
    ) -> Connection | None:
        """Take over writing to an open socket: the recent visible events, then live ones, until it expires.

        From now on only ``reply`` may write to it, and it may be closed only after ``leave``. ``None`` when
        the hub is not running.
        """
        now = self._clock.monotonic()
        audience = self._policy.audience(auth)
        connection = Connection(next(self._numbers), auth, audience, sock, now, wire, expires_ns, peer)
        if self._thread is None or not self._mailbox.post(partial(self._dispatcher.join, connection)):
            return None
        return connection

    def reply(self, connection: Connection, data: bytes) -> None:
        """Send control frames from its reader. Raises ``OSError`` when the client does not take replies."""
        if len(connection.outbox) >= self.limits.outbox_replies_max:
            raise ConnectionAbortedError("the client does not read replies")
        connection.outbox.append(data)
        self._mailbox.post(partial(self._dispatcher.flush_outbox, connection))

    def close(self, connection: Connection, code: int, reason: str) -> None:
        self._mailbox.post(partial(self._dispatcher.close, connection, code, reason))

    def close_session(self, session_id: str, code: int, reason: str = "The session ended.") -> None:
        """Close the sockets of a session that ended (1008) or changed its identity (1012)."""
        self._mailbox.post(partial(self._dispatcher.close_session, session_id, code, reason))

    def identities(self, timeout_s: float) -> set[AuthContext]:
        """Who is connected. Waits for the dispatcher, at most so long; nobody when it does not answer."""
        found: SimpleQueue[set[AuthContext]] = SimpleQueue()
        if self._thread is None or not self._mailbox.post(lambda: found.put(self._dispatcher.identities())):
            return set()
        with suppress(Empty):
            return found.get(timeout=timeout_s)
        return set()

    def leave(self, connection: Connection) -> None:
        """The reader has ended. Returns once nothing will write to the socket any more."""
        self._mailbox.post(partial(self._dispatcher.leave, connection))
        connection.released.acquire()

    def relay(self, tenant_id: str | None, payload: bytes) -> bool:
        """Send a JSON message to every connection of a tenant; false when too many wait already."""
        is_queued = self._relays.add(tenant_id, payload)
        self._mailbox.ring()
        return is_queued

    def stats(self) -> HubStats:
        dispatcher = self._dispatcher
        return HubStats(
            connections=len(dispatcher.connections),
            frames_sent=dispatcher.frames_sent,
            closed_for_lag=dispatcher.closed_for_lag,
            relays_dropped=self._relays.dropped,
            unsent_bytes=dispatcher.unsent_bytes,
        )
