"""The HTTP server: a thread per working connection, parked connections in epoll, few threads computing.

A request goes this way: a worker's poll claims its connection from the ``Parking``; ``HttpConnection.advance``
reads, parses, calls ``handle`` and sends; the connection is parked again. Nothing here knows what ``handle``
does. Any thread may call any method of ``PylonServer``; ``handle`` runs on many threads at once.
"""

import errno
import socket
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_runtime.http_connection import HttpConnection, Site, Step
from pylon_runtime.http_handler import Handler, UpgradeHandler
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_parking import Listener, Parking
from pylon_runtime.http_workers import WorkerPool
from pylon_runtime.http_writer import HeaderTuples, ResponseWriter
from pylon_runtime.threads import join

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = structlog.get_logger(__name__)

_BACKLOG = 4096
_SHUTDOWN_S = 10.0
"""What werkzeug's ``shutdown``, which has no deadline, gives requests in flight."""

_DRAIN_LOOK_S = 0.05

_DRAIN_SHARE = 0.9
"""Of the time for stopping; then what is left is cut, and threads that read or wrote it need a moment to end."""


def _nothing_to_do() -> bool:
    return False


class _Handler(WSGIRequestHandler):
    """Never instantiated; keeps werkzeug from changing the protocol version of its own class."""

    protocol_version = "HTTP/1.1"


class PylonServer(ThreadedWSGIServer):
    """Serves ``handle(request) -> response`` and hands WebSocket handshakes to ``upgrade(request, sock, tail)``.

    ``upgrade`` runs on a thread without a turn, may keep the blocking socket for ever and owns closing it;
    ``tail`` is what the client sent after its handshake. ``headers`` go out with every answer. ``wsgi_app`` is
    the same application as WSGI, for those who look for it on a werkzeug server. ``idle`` is
    called, with a turn held, by a thread that finds nothing to serve, and now and then by one that does; it is
    true when there may be more to serve now. A ``POST`` to one of ``streamed_paths`` is handled as soon as its
    headers are there, as a ``StreamedRequest``. The server listens once
    constructed (or raises PORT_IN_USE or LISTEN_FAILED) and answers once started.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handle: Handler,
        upgrade: UpgradeHandler,
        limits: ServerLimits,
        *,
        wsgi_app: "WSGIApplication",
        clock: Clock,
        headers: HeaderTuples = (),
        idle: Callable[[], bool] = _nothing_to_do,
        streamed_paths: tuple[str, ...] = (),
    ) -> None:
        with bind(host, port) as sock:
            super().__init__(host, port, wsgi_app, handler=_Handler, fd=sock.fileno())
        self.socket.settimeout(0.0)
        self.failure: BaseException | None = None
        """What ended a worker that should not have ended; the server is then not to be trusted."""
        self._clock = clock
        self._site = Site(
            limits,
            ResponseWriter(clock, headers),
            self._resume,
            clock,
            tuple(path.encode("ascii") for path in streamed_paths),
        )
        self._parking = Parking(self._site, clock)
        self._listener = Listener(self.socket, handle, upgrade)
        self._parking.listen(self._listener)
        self._pool: WorkerPool[HttpConnection] = WorkerPool(
            f"http-{self.port}",
            limits,
            self._parking.poll,
            self._parking.wait,
            self._serve,
            idle,
            self._fail,
        )
        self._handed_over: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._started = False
        self._stopping = False
        self._stopped = threading.Event()

    def add_listener(self, host: str, port: int, handle: Handler, upgrade: UpgradeHandler) -> int:
        """Listen on another port too, with the same threads; the port, of use when it was given as 0."""
        sock = bind(host, port)
        sock.settimeout(0.0)
        self._parking.listen(Listener(sock, handle, upgrade))
        return int(sock.getsockname()[1])

    @property
    def connections(self) -> int:
        """Connections the server keeps, the ones it handed over aside."""
        return len(self._parking)

    @property
    def sockets_handed_over(self) -> int:
        """Upgraded and streaming sockets that are still open somewhere."""
        with self._lock:
            return sum(sock.fileno() >= 0 for sock in self._handed_over)

    def start(self) -> None:
        with self._lock:
            if self._started or self._stopping:
                return
            self._started = True
        self._pool.start()

    def stop(self, deadline: float) -> None:
        """Accept nothing more, let requests in flight end, and cut what is left at ``deadline``.

        An instant of the clock's ``monotonic``. Safe twice, and before ``start``.
        """
        with self._lock:
            first = not self._stopping
            self._stopping = True
        if not first:
            self._stopped.wait(max(0.0, deadline - self._clock.monotonic()))
            return
        self._site.draining = True
        self._parking.stop_listening()
        if self._started:
            now = self._clock.monotonic()
            self._drain(now + (deadline - now) * _DRAIN_SHARE)
        if len(self._parking):
            _log.warning("connections_cut", count=len(self._parking))
            self._parking.cut_all()
        self._end_threads(deadline)
        self._stopped.set()

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002 - werkzeug's signature
        """Start, and return once another thread has stopped the server."""
        self.start()
        self._stopped.wait()

    def shutdown(self) -> None:
        self.stop(self._clock.monotonic() + _SHUTDOWN_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve an accepted socket, wherever it was accepted."""
        self._pool.submit(self._parking.admit(self._listener, request, client_address[0]))

    def _serve(self, connection: HttpConnection) -> Callable[[], None] | None:
        """What a worker does with a connection it owns; a job when the socket goes on without the server."""
        parking = self._parking
        try:
            while True:
                step = connection.advance(parking.now)
                if step is Step.READ or step is Step.WRITE:
                    if parking.park(connection, step):
                        return None
                elif step is Step.ANSWER:
                    self._pool.owe_idle()
                    if not connection.has_met():
                        return None
                elif step is Step.CLOSE:
                    parking.close(connection)
                    return None
                elif step is Step.AGAIN:
                    self._pool.submit((connection,))
                    return None
                else:
                    return self._hand_over(connection)
        except Exception:  # noqa: BLE001 - the boundary: a connection may fail, the worker may not
            _log.exception("connection_failed")
            parking.close(connection)
            return None

    def nudge(self) -> None:
        """Have some thread find that there is nothing to serve, and so call ``idle``."""
        self._pool.nudge()

    def _resume(self, connection: HttpConnection) -> None:
        self._pool.submit((connection,))

    def _hand_over(self, connection: HttpConnection) -> Callable[[], None]:
        self._parking.take_out(connection)
        with self._lock:
            self._handed_over.add(connection.sock)
        return partial(_run, connection.leave(), connection.sock)

    def _drain(self, deadline: float) -> None:
        """Have every connection served as far as it goes; draining, an idle one closes itself."""
        while len(self._parking) and self._clock.monotonic() < deadline:
            self._parking.empty.clear()
            self._pool.submit(self._parking.claim_all())
            self._parking.empty.wait(_DRAIN_LOOK_S)

    def _end_threads(self, deadline: float) -> None:
        threads = self._pool.close()
        self._parking.wake()
        late = join(threads, deadline, self._clock)
        still_open = self.sockets_handed_over
        if still_open:
            _log.info("sockets_left_open", count=still_open)
        if not late:
            self._parking.dispose()

    def _fail(self, error: BaseException) -> None:
        self.failure = error


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Our own error when there is none to be had, where werkzeug would end the process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PylonError(
                "PORT_IN_USE",
                f"Port {port} is in use by another program.",
                hint="Stop that program, or choose another port.",
            ) from None
        raise PylonError("LISTEN_FAILED", f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    return sock


def _run(handover: Callable[[], None], sock: socket.socket) -> None:
    try:
        handover()
    except OSError:
        sock.close()  # the client left during the hand-over
    except Exception:  # noqa: BLE001 - the boundary: the thread returns to the pool
        _log.exception("handover_failed")
        sock.close()
