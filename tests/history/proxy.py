"""A TCP proxy that is a bad network: it can refuse, cut (RST), freeze one direction or both, and delay.

One listener, one thread, no lock: the thread owns all sockets, others put a new ``Weather`` or a cut in place and
ring. Each accepted connection goes to one of the backends by chance, as a load balancer would do that does not
know which of them lives. A frozen direction is not even read, so a peer that dies behind it is not noticed on the
other side: that is a half-open connection. Afterwards the bytes arrive late, or, after a cut, never.
"""

import enum
import random
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PIECE_BYTES = 65536
UNSENT_BYTES_MAX = 1 << 20
"""Beyond this a direction is read no further: a slow reader slows down its writer, as without us."""
STOP_SECONDS = 10


class Direction(enum.Enum):
    UP = "up"
    """From who connected to the backend."""
    DOWN = "down"


@dataclass(frozen=True)
class Weather:
    refuses: bool = False
    frozen: frozenset[Direction] = frozenset()
    delay_s: float = 0.0


FAIR = Weather()


@dataclass(eq=False)
class Flow:
    """One direction of one connection; pieces wait until they are due."""

    direction: Direction
    source: socket.socket
    target: socket.socket
    pieces: deque[tuple[float, bytes]] = field(default_factory=deque)
    unsent_bytes: int = 0
    ended: bool = False
    """The source says no more."""

    def wants(self, weather: Weather, now: float) -> tuple[bool, bool]:
        """Whether to read from the source, whether to write to the target."""
        if self.direction in weather.frozen:
            return False, False
        return not self.ended and self.unsent_bytes < UNSENT_BYTES_MAX, bool(self.pieces) and self._due_at() <= now

    def due_at(self, weather: Weather) -> float | None:
        return self._due_at() if self.pieces and self.direction not in weather.frozen else None

    def read(self, due_at: float) -> None:
        with suppress(BlockingIOError):
            data = self.source.recv(PIECE_BYTES)
            self.ended = not data
            if data:
                self.pieces.append((due_at, data))
                self.unsent_bytes += len(data)

    def write(self) -> None:
        with suppress(BlockingIOError):
            due_at, data = self.pieces[0]
            sent = self.target.send(data)
            self.unsent_bytes -= sent
            if sent == len(data):
                self.pieces.popleft()
            else:
                self.pieces[0] = (due_at, data[sent:])

    def _due_at(self) -> float:
        return self.pieces[0][0]


@dataclass(eq=False)
class Connection:
    flows: tuple[Flow, Flow]

    @property
    def is_over(self) -> bool:
        return any(flow.ended and not flow.pieces for flow in self.flows)

    def close(self, *, reset: bool) -> None:
        for flow in self.flows:
            if reset:
                _reset(flow.source)
            flow.source.close()


class Proxy:
    """Listens on ``port``; ``start`` and ``stop`` once each."""

    def __init__(self, name: str, backends: Sequence[int], chance: random.Random) -> None:
        self._backends = backends
        self._chance = chance
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._weather = FAIR
        self._cut = False
        self._stopped = False
        self._connections: list[Connection] = []
        self._thread = threading.Thread(target=self._run, name=f"proxy-{name}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._ring()
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive()
        for opened in (self._listener, self._bell, self._ear):
            opened.close()

    def set(self, weather: Weather) -> None:
        """From now on; what is under way stays under way."""
        self._weather = weather
        self._ring()

    def cut(self) -> None:
        """Reset every connection there is; what was frozen in them never arrives."""
        self._cut = True
        self._ring()

    def _ring(self) -> None:
        self._bell.send(b"!")

    def _run(self) -> None:
        while not self._stopped:
            if self._cut:
                self._cut = False
                self._drop(list(self._connections), reset=True)
            self._turn()
        self._drop(list(self._connections), reset=True)

    def _turn(self) -> None:
        """Wait for something to do, and do it once for each flow."""
        weather, now = self._weather, time.monotonic()
        wanted = {self._listener.fileno(): select.POLLIN, self._ear.fileno(): select.POLLIN}
        wishes = []
        for connection in self._connections:
            for flow in connection.flows:
                reads, writes = flow.wants(weather, now)
                if reads:
                    _want(wanted, flow.source, select.POLLIN)
                if writes:
                    _want(wanted, flow.target, select.POLLOUT)
                wishes.append((connection, flow, reads, writes))
        ready = _poll(wanted, self._patience_s(weather, now))
        if self._ear.fileno() in ready:
            self._ear.recv(PIECE_BYTES)
            return
        for connection, flow, reads, writes in wishes:
            self._serve(
                connection,
                flow,
                reads=reads and flow.source.fileno() in ready,
                writes=writes and flow.target.fileno() in ready,
                due_at=now + weather.delay_s,
            )
        self._drop([connection for connection in self._connections if connection.is_over], reset=False)
        if self._listener.fileno() in ready:
            self._accept(weather)

    def _patience_s(self, weather: Weather, now: float) -> float | None:
        flows = [flow for connection in self._connections for flow in connection.flows]
        due = [due_at for flow in flows if (due_at := flow.due_at(weather)) is not None and due_at > now]
        return min(due) - now if due else None

    def _serve(self, connection: Connection, flow: Flow, *, reads: bool, writes: bool, due_at: float) -> None:
        try:
            if reads:
                flow.read(due_at)
            if writes:
                flow.write()
        except OSError:
            self._drop([connection], reset=True)

    def _accept(self, weather: Weather) -> None:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        if weather.refuses:
            _reset(client)
            client.close()
            return
        try:
            backend = socket.create_connection(("127.0.0.1", self._chance.choice(self._backends)))
        except OSError:
            _reset(client)
            client.close()
            return
        for end in (client, backend):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flows = Flow(Direction.UP, client, backend), Flow(Direction.DOWN, backend, client)
        self._connections.append(Connection(flows))

    def _drop(self, connections: list[Connection], *, reset: bool) -> None:
        for connection in connections:
            if connection in self._connections:
                self._connections.remove(connection)
                connection.close(reset=reset)


def _want(wanted: dict[int, int], end: socket.socket, event: int) -> None:
    if end.fileno() >= 0:
        wanted[end.fileno()] = wanted.get(end.fileno(), 0) | event


def _poll(wanted: dict[int, int], patience_s: float | None) -> set[int]:
    poll = select.poll()
    for number, events in wanted.items():
        poll.register(number, events)
    return {number for number, _ in poll.poll(None if patience_s is None else patience_s * 1000 + 1)}


def _reset(end: socket.socket) -> None:
    """Closing it sends RST: everything the peer does next fails."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
