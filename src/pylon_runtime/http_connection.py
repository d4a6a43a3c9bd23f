"""One HTTP connection: its socket, its parser, its outbox.

Whoever holds ``owner`` owns the connection: the worker serving it, or the one thread that closes it. Its owner
calls ``advance``, which does everything that can be done without waiting for the client, and says what must come
next; no method blocks, unless a handler reads the body itself. ``edge`` is the exception, set by the polling
thread: the kernel reports each arrival of bytes once, so one that falls into somebody's ownership is noted there
and looked at before the connection is parked.

    READ ──bytes──> advance ──> READ    parked until bytes arrive, or the deadline
                            ──> ANSWER  owned by nobody until the answer that was begun is there
                            ──> WRITE   parked until the kernel takes more of the answer, or the deadline
                            ──> AGAIN   more to do, once others have had their turn
                            ──> CLOSE   over
                            ──> LEAVE   ``leave`` says what takes the socket over
"""

import contextlib
import enum
import itertools
import socket
import threading
from collections.abc import Callable
from functools import partial

import structlog
from msgspec import structs

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import Request, Response, StreamedRequest
from pylon_runtime.http_body import ArrivingBody
from pylon_runtime.http_handler import BegunAnswer, Handler, Takeover, UpgradeHandler
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_outbox import Outbox
from pylon_runtime.http_parser import Arrival, Phase, RequestParser, StreamedBody
from pylon_runtime.http_presence import Presence
from pylon_runtime.http_stream import (
    ChunkedSource,
    LiveResponse,
    ResponseStream,
    SizedResponse,
    SourcedResponse,
    StreamResponse,
    send_live,
)
from pylon_runtime.http_writer import CONTINUE, ResponseWriter

_log = structlog.get_logger(__name__)

_RECV_BYTES = 64 << 10
_STEPS_MAX = 16
"""Requests answered or reads made before the connection goes to the end of the queue."""


class Step(enum.Enum):
    READ = "read"
    ANSWER = "answer"
    WRITE = "write"
    AGAIN = "again"
    CLOSE = "close"
    LEAVE = "leave"


class Site:
    """What the connections of one server share. ``draining`` turns true once, when the server stops; ``resume``
    takes a connection, owned, whose begun answer is there. ``streamed_paths`` are those of which a ``POST`` is
    handled while its body arrives."""

    __slots__ = ("clock", "draining", "limits", "resume", "streamed_paths", "writer")

    def __init__(
        self,
        limits: ServerLimits,
        writer: ResponseWriter,
        resume: Callable[["HttpConnection"], None],
        clock: Clock,
        streamed_paths: tuple[bytes, ...] = (),
    ) -> None:
        self.limits = limits
        self.writer = writer
        self.resume = resume
        self.clock = clock
        self.streamed_paths = streamed_paths
        self.draining = False


class HttpConnection:
    __slots__ = (
        "_answering",
        "_closing",
        "_drained",
        "_handle",
        "_handover",
        "_limits",
        "_lingering",
        "_meetings",
        "_outbox",
        "_parser",
        "_render",
        "_site",
        "_started",
        "_upgrade",
        "deadline",
        "edge",
        "fd",
        "hung_up",
        "owner",
        "sock",
        "watching",
    )

    def __init__(
        self, site: Site, handle: Handler, upgrade: UpgradeHandler, sock: socket.socket, peer: str, now: float
    ) -> None:
        self._site = site
        self._limits = site.limits
        self._handle = handle
        self._upgrade = upgrade
        self._parser = RequestParser(site.limits, peer, Presence(sock).is_gone, site.streamed_paths)
        self._outbox = Outbox(sock, site.limits)
        self._closing = False
        """Nothing more is answered; what is left is sending, and reading what nobody wants."""
        self._lingering: int | None = None
        """How many more bytes will be read and dropped before closing."""
        self._started: float | None = None
        """When the first byte of the request now arriving was seen."""
        self._answering: Arrival | None = None
        """The request whose answer has begun and is not there yet."""
        self._render: Callable[[], Response] | None = None
        self._meetings = itertools.count()
        self._drained = False
        """When the answer began, the kernel had no more bytes."""
        self.sock = sock
        self.fd = sock.fileno()
        self.owner = threading.Lock()
        self.edge = False
        self.hung_up = False
        """The peer will send nothing more; set by the polling thread."""
        self.watching = Step.READ
        """What the kernel was asked to report."""
        self.deadline = now + site.limits.idle_timeout_s
        """Set before the connection is parked; past it the sweep calls ``expire``."""
        self._handover: Callable[[], None] | None = None

    def refuse(self, error: PylonError) -> None:
        """Let the next ``advance`` answer ``error`` whatever the client asked, and close."""
        self._parser.failure = error

    def advance(self, now: float) -> Step:
        had_edge, self.edge = self.edge, False
        try:
            if self._answering is not None:
                return self._finish_answer(now) or self._proceed(now, drained=self._drained and not had_edge)
            step = self._flush(now) if self._outbox.unsent is not None else None
            return step or (self._discard() if self._lingering is not None else self._proceed(now))
        except OSError:
            return Step.CLOSE  # the client is gone

    def expire(self) -> None:
        """Past the deadline: tell a client that is in the middle of a request, as far as that goes at once."""
        if self._parser.phase is Phase.IDLE or self._closing or self._outbox.unsent is not None:
            return
        error = PylonError("REQUEST_TIMEOUT", "The request did not arrive in time.", status=408)
        response = Response.error(error)
        head = self._site.writer.head(response, keep_alive=False, http_1_0=False)
        with contextlib.suppress(OSError):  # it need not be listening either
            self.sock.send(head + response.body)

    def leave(self) -> Callable[[], None]:
        """What takes the socket over, to be called on a thread without a turn."""
        assert self._handover is not None
        self._parser.close()
        return self._handover

    def close(self) -> None:
        self._parser.close()
        self._outbox.close()
        self.sock.close()

    def has_met(self) -> bool:
        """Called once by who let the connection go and once by who has its answer; the second owns it then."""
        return next(self._meetings) % 2 == 1

    def _proceed(self, now: float, *, drained: bool = False) -> Step:
        parser = self._parser
        arrivals = parser.arrivals
        for _ in range(_STEPS_MAX):
            if arrivals:
                step = self._answer(arrivals.popleft(), now)
            elif parser.failure is not None:
                step = self._give_up(parser.failure, now)
            elif parser.expects_continue:
                parser.expects_continue = False
                step = self._send(CONTINUE, b"", now)
            elif drained:
                return self._await_bytes(now)
            else:
                try:
                    data = self.sock.recv(_RECV_BYTES)
                except BlockingIOError:
                    return self._await_bytes(now)
                if not data:
                    return Step.CLOSE
                parser.feed(data)
                # Less than was asked for: the kernel has no more, and will report when it has. It reports the
                # end of the stream only once, perhaps together with these bytes; then it must be read for.
                drained = len(data) < _RECV_BYTES and not self.hung_up
                continue
            if step is not None:
                self._drained = drained
                return step
        return Step.AGAIN

    def _answer(self, arrival: Arrival, now: float) -> Step | None:
        """Handle one request and send its answer; ``None`` when the connection can go on at once."""
        request = arrival.request
        self._started = None
        if arrival.special is not None:
            if isinstance(arrival.special, StreamedBody):
                return self._answer_streamed(arrival, arrival.special, now)
            return self._be_taken(self._upgrade, request)
        try:
            answer = self._handle(request)
        except Exception as error:  # noqa: BLE001 - the boundary: a request may fail, the server may not
            answer = _failed(request, error)
        return self._give(answer, arrival, now)

    def _answer_streamed(self, arrival: Arrival, body: StreamedBody, now: float) -> Step | None:
        """As ``_answer``, where the handler reads the body. What it leaves unread ends the connection."""
        site = self._site
        known = arrival.request
        stream = ArrivingBody(body, self._parser, self.sock, site.limits, site.clock)
        request = StreamedRequest(
            known.method, known.target, known.headers, b"", known.peer, known.is_gone, stream=stream
        )
        try:
            answer = self._handle(request)
        except Exception as error:  # noqa: BLE001 - as above
            answer = _failed(request, error)
        if not body.is_complete:
            self._parser.abandon()
            arrival = structs.replace(arrival, keep_alive=False)
        return self._give(answer, arrival, now)

    def _give(self, answer: Response | BegunAnswer | Takeover, arrival: Arrival, now: float) -> Step | None:
        if isinstance(answer, Response):
            return self._respond(answer, arrival, now)
        if isinstance(answer, Takeover):
            return self._be_taken(answer.taker, arrival.request)
        self._answering = arrival
        try:
            answer.start(self._deliver)
        except Exception as error:  # noqa: BLE001 - as above
            self._answering = None
            return self._respond(_failed(arrival.request, error), arrival, now)
        return Step.ANSWER

    def _be_taken(self, taker: UpgradeHandler, request: Request) -> Step:
        self.sock.settimeout(None)
        self._handover = partial(taker, request, self.sock, self._parser.tail or b"")
        return Step.LEAVE

    def _deliver(self, render: Callable[[], Response]) -> None:
        self._render = render
        if self.has_met():
            self._site.resume(self)

    def _finish_answer(self, now: float) -> Step | None:
        arrival, render = self._answering, self._render
        assert arrival is not None
        assert render is not None
        self._answering = self._render = None
        try:
            response = render()
        except Exception as error:  # noqa: BLE001 - as above
            response = _failed(arrival.request, error)
        return self._respond(response, arrival, now)

    def _respond(self, response: Response, arrival: Arrival, now: float) -> Step | None:
        try:
            if type(response) is not Response:
                if isinstance(response, StreamResponse):
                    return self._stream(response, arrival, now)
                if isinstance(response, SourcedResponse):
                    return self._send_sourced(response, arrival, now)
            head = self._head(response, arrival)
        except ValueError as error:  # it cannot be written as HTTP
            response = _failed(arrival.request, error)
            head = self._head(response, arrival)
        return self._send(head, b"" if arrival.request.method == "HEAD" else response.body, now)

    def _head(self, response: Response, arrival: Arrival) -> bytes:
        keep_alive = arrival.keep_alive and not self._site.draining
        self._closing = not keep_alive
        return self._site.writer.head(response, keep_alive=keep_alive, http_1_0=arrival.http_1_0)

    def _stream(self, response: StreamResponse, arrival: Arrival, now: float) -> Step | None:
        chunked = not arrival.http_1_0
        head = self._site.writer.stream_head(response, chunked=chunked)
        if arrival.request.method == "HEAD":
            self._closing = True
            return self._send(head, b"", now)
        return self._hand_over(partial(_start_stream, head, response), chunked=chunked)

    def _hand_over(self, start: Callable[[ResponseStream], None], *, chunked: bool) -> Step:
        self.sock.settimeout(self._limits.progress_timeout_s)
        self._handover = partial(start, ResponseStream(self.sock, chunked=chunked))
        return Step.LEAVE

    def _send_sourced(self, response: SourcedResponse, arrival: Arrival, now: float) -> Step | None:
        chunked = not (isinstance(response, SizedResponse) or arrival.http_1_0)
        if isinstance(response, SizedResponse):
            keep_alive = arrival.keep_alive and not self._site.draining
            head = self._site.writer.sized_head(
                response, response.size, keep_alive=keep_alive, http_1_0=arrival.http_1_0
            )
        else:
            keep_alive = False
            head = self._site.writer.stream_head(response, chunked=chunked)
        if arrival.request.method == "HEAD":
            self._closing = not keep_alive
            return self._send(head, b"", now)
        try:
            source = response.open()
        except PylonError as error:
            return self._respond(Response.error(error), arrival, now)
        if isinstance(response, LiveResponse):
            return self._hand_over(partial(send_live, head, source), chunked=chunked)
        self._closing = not keep_alive
        body = ChunkedSource(source) if chunked else source
        return self._after_sending(now, is_sent=self._outbox.send_from(head, body, now))

    def _give_up(self, error: PylonError, now: float) -> Step | None:
        """Answer what could not be read as a request; nothing after it can be either."""
        response = Response.error(error)
        self._closing = True
        return self._send(self._site.writer.head(response, keep_alive=False, http_1_0=False), response.body, now)

    def _send(self, head: bytes, body: bytes, now: float) -> Step | None:
        if self._outbox.send(head, body, now):  # as nearly every answer is
            return self._sent(now) if self._closing else None
        return self._after_sending(now, is_sent=False)

    def _flush(self, now: float) -> Step | None:
        return self._after_sending(now, is_sent=self._outbox.flush(now))

    def _after_sending(self, now: float, *, is_sent: bool) -> Step | None:
        """What must come next; ``None`` when the answer is out and the connection goes on."""
        if is_sent:
            return self._sent(now) if self._closing else None
        self.deadline = self._outbox.deadline
        return Step.WRITE if self._outbox.is_blocked else Step.AGAIN

    def _sent(self, now: float) -> Step:
        """The last answer is out. Bytes may still be coming only if the request was not read to its end."""
        if self._parser.failure is None:
            return Step.CLOSE
        self.sock.shutdown(socket.SHUT_WR)
        self._lingering = self._limits.linger_bytes_max
        self.deadline = now + self._limits.linger_timeout_s
        return self._discard()

    def _discard(self) -> Step:
        assert self._lingering is not None
        for _ in range(_STEPS_MAX):
            try:
                data = self.sock.recv(_RECV_BYTES)
            except BlockingIOError:
                return Step.READ
            self._lingering -= len(data)
            if not data or self._lingering < 0:
                return Step.CLOSE
        return Step.AGAIN

    def _await_bytes(self, now: float) -> Step:
        limits = self._limits
        phase = self._parser.phase
        if phase is Phase.IDLE:
            if self._site.draining:
                return Step.CLOSE
            self.deadline = now + limits.idle_timeout_s
            return Step.READ
        if self._started is None:
            self._started = now
        if phase is Phase.HEAD:
            self.deadline = self._started + limits.header_timeout_s
        else:
            self.deadline = limits.pace_deadline(self._started, self._parser.body_bytes, now)
        return Step.READ


def _start_stream(head: bytes, response: StreamResponse, stream: ResponseStream) -> None:
    stream.socket.sendall(head)
    stream.write(response.body)
    response.start(stream)


def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, PylonError):
        return Response.error(error)
    path = request.target.partition("?")[0]  # a query may hold tokens
    _log.error("request_failed", method=request.method, path=path, exc_info=error)
    return Response.error(PylonError("INTERNAL", "The server failed to answer this request."))
