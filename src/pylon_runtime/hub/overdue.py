"""Which connections' time is up: who takes nothing, who was told to end and has not, whose session is over, who
is silent; and who has to go when too much is unsent.

Apart from the dispatcher because it looks at clocks and counts, never at events. It decides; what ends a
connection is handed in. Used by the dispatcher's thread alone.
"""

from collections import deque
from collections.abc import Callable, Set

from pylon_auth import NEVER_NS
from pylon_core.clock import Clock
from pylon_runtime.hub import close_codes
from pylon_runtime.hub.connection import Connection, ConnectionState
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.log import EventLog
from pylon_runtime.hub.writer import SocketWriter

_OPEN = ConnectionState.OPEN


class Overdue:
    """``close`` ends a connection with a code and a reason, ``close_for_lag`` one that cannot keep up, ``cut`` one
    that is not waited for any more."""

    def __init__(
        self,
        connections: Set[Connection],
        log: EventLog,
        writer: SocketWriter,
        limits: HubLimits,
        clock: Clock,
        *,
        close: Callable[[Connection, int, str], None],
        close_for_lag: Callable[[Connection], None],
        cut: Callable[[Connection], None],
    ) -> None:
        self._connections = connections
        self._log = log
        self._writer = writer
        self._limits = limits
        self._clock = clock
        self._close = close
        self._close_for_lag = close_for_lag
        self._cut = cut
        self._ends: dict[Connection, float] = {}
        """When those that are ending have to have ended."""
        self._heartbeats: deque[tuple[float, Connection]] = deque()
        self._next_expiry_ns = NEVER_NS

    def watch(self, connection: Connection, now: float) -> None:
        """From here on until it has ended."""
        self._heartbeats.append((now + self._limits.ping_interval_s, connection))
        self._next_expiry_ns = min(self._next_expiry_ns, connection.expires_ns)

    def ending(self, connection: Connection, now: float) -> None:
        """It has ``close_grace_s`` left."""
        self._ends[connection] = now + self._limits.close_grace_s

    def ended(self, connection: Connection) -> None:
        """Safe twice."""
        self._ends.pop(connection, None)

    def look(self, now: float) -> None:
        for connection in [c for c in self._writer.blocked if c.state is _OPEN and self._is_stuck(c, now)]:
            self._close_for_lag(connection)
        for connection in [c for c, end in self._ends.items() if end <= now]:
            self._cut(connection)
        self._close_expired()
        self._beat(now)

    def make_room(self) -> None:
        """When more is unsent than may be, those who answer for most of it have to go. Until they have, it is in
        memory; beyond twice as much nobody is waited for."""
        bytes_max = self._limits.unsent_bytes_max
        if self._writer.held.total <= bytes_max:
            return
        burdens = self._writer.burdens()
        going = sum(burden for connection, burden in burdens if connection.state is not _OPEN)
        staying = self._writer.held.total - going
        for connection, burden in burdens:
            if staying > bytes_max and connection.state is _OPEN:
                staying -= burden
                self._close_for_lag(connection)
        for connection, _ in burdens:
            if self._writer.held.total > 2 * bytes_max:
                self._cut(connection)

    def _is_stuck(self, connection: Connection, now: float) -> bool:
        has_fallen_out = connection.follows and connection.position < self._log.first
        return has_fallen_out or now > min(
            connection.blocked_since + self._limits.stall_s,
            connection.blocked_at + self._limits.stall_s + connection.taken / self._limits.bytes_per_s_min,
        )

    def _close_expired(self) -> None:
        """Looks through the connections only when the session of one, which may have left, is over."""
        now_ns = self._clock.now_ns()
        if now_ns < self._next_expiry_ns:
            return
        for connection in [c for c in self._connections if c.expires_ns <= now_ns]:
            self._close(connection, close_codes.POLICY_VIOLATION, "The session expired.")
        self._next_expiry_ns = min((c.expires_ns for c in self._connections if c.state is _OPEN), default=NEVER_NS)

    def _beat(self, now: float) -> None:
        interval = self._limits.ping_interval_s
        while self._heartbeats and self._heartbeats[0][0] <= now:
            _, connection = self._heartbeats.popleft()
            if connection.state is not _OPEN:
                continue
            if connection.wire.is_two_way and now - connection.heard > 2 * interval:
                self._close(connection, close_codes.GOING_AWAY, "The connection went silent.")
                continue
            if connection.unsent is None:
                self._writer.write(connection, connection.wire.heartbeat)
            self._heartbeats.append((now + interval, connection))
