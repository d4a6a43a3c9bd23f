"""What the hub alone can do, with delivery checked: ``python -m bench.hub --help``.

A server process holds the real hub and endpoint behind a bare accept loop, and publishes; a client process, on
the other core, reads every socket, checks that each receives every seq once and in order, and notes how long
each event took from ``publish`` to the read. ``--busy`` adds threads to the server that compute all the time,
as request handlers do. ``--idle`` only opens sockets and reports the server's memory.
"""

import argparse
import json
import multiprocessing
import os
import select
import socket
import threading
import time
from array import array
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from pylon_auth.context import AuthContext
from pylon_core.clock import SystemClock
from pylon_http import ChangeEvent, ChangeKind, Request
from pylon_runtime.hub import Hub, HubLimits, SocketIdentity, WebSocketEndpoint

HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: bearer.{name}\r\n\r\n"
)
DRAIN_S = 30.0


class Everybody:
    """One audience, as for public data, or one for each identity, as for policies that name the user."""

    def __init__(self, *, apart: bool) -> None:
        self._apart = apart

    def may_read(self, _entity: str, auth: AuthContext, row: Mapping[str, Any]) -> bool:
        return row["owner"] in ("*", auth.user_id)

    def audience(self, auth: AuthContext) -> Hashable:
        return auth.user_id if self._apart else ""


# The server process


def serve(options: argparse.Namespace, control: Connection) -> None:
    _pin(0)
    threading.stack_size(options.stack_kib * 1024)
    clock = SystemClock()
    limits = HubLimits(connections_per_peer_max=1 << 20)
    hub = Hub(Everybody(apart=options.audiences), lambda _entity, row: row, limits, clock)
    endpoint = WebSocketEndpoint(hub, _sign_in, lambda request: request.peer, limits, clock, None)
    hub.start()
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    resident_before = resident_bytes()
    threading.Thread(target=_accept, args=(listening, endpoint), daemon=True).start()
    control.send(listening.getsockname()[1])
    while hub.stats().connections < options.subscribers:
        time.sleep(0.01)
    time.sleep(0.5)
    control.send(resident_bytes() - resident_before)
    work = [0] * options.busy
    for index in range(options.busy):
        threading.Thread(target=_compute, args=(work, index), daemon=True).start()
    control.recv()
    spent, started = time.process_time(), time.perf_counter()
    publish(hub, options)
    control.send("published")
    control.recv()
    elapsed = time.perf_counter() - started
    control.send(
        {"cpu": (time.process_time() - spent) / elapsed, "work": sum(work) / elapsed, "stats": str(hub.stats())}
    )
    hub.stop(clock.monotonic() + 5)
    os._exit(0)


def publish(hub: Hub, options: argparse.Namespace) -> None:
    text = "x" * options.row_bytes
    started = time.monotonic()
    for index in range(options.events):
        if options.rate:
            time.sleep(max(0.0, started + index / options.rate - time.monotonic()))
        else:
            while hub.stats().frames_sent < (index - 200) * options.subscribers:
                time.sleep(0.0005)
        row = {"id": f"row{index}", "owner": "*", "text": text, "at": time.monotonic_ns()}
        hub.publish((ChangeEvent(index + 1, "Note", row["id"], ChangeKind.INSERT, row, None, 1_767_225_600_000),))


def _accept(listening: socket.socket, endpoint: WebSocketEndpoint) -> None:
    while True:
        sock, (peer, _) = listening.accept()
        threading.Thread(target=_serve_socket, args=(sock, peer, endpoint), daemon=True).start()


def _serve_socket(sock: socket.socket, peer: str, endpoint: WebSocketEndpoint) -> None:
    endpoint(*_read_request(sock, peer))


def _read_request(sock: socket.socket, peer: str) -> tuple[Request, socket.socket, bytes]:
    head, _, buffered = sock.recv(4096).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request("GET", "/", headers, b"", peer), sock, buffered


def _sign_in(request: Request) -> SocketIdentity:
    subprotocol = request.headers["sec-websocket-protocol"]
    return SocketIdentity(AuthContext(user_id=subprotocol.removeprefix("bearer.")), subprotocol)


def _compute(work: list[int], index: int) -> None:
    while True:
        sum(range(1000))
        work[index] += 1


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# The client process


class Subscriber:
    """One socket: its unread bytes and the last seq."""

    __slots__ = ("rest", "seq", "sock")

    def __init__(self, port: int, index: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(HANDSHAKE.format(name=f"user{index}").encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.sock.recv(4096)
        self.rest = received.partition(b"\r\n\r\n")[2]
        self.seq = 0


class Tally:
    """Counts frames, checks their order, keeps the latency of each in milliseconds."""

    def __init__(self) -> None:
        self.frames = 0
        self.latencies = array("d")
        self._published: dict[int, int] = {}

    def read(self, subscriber: Subscriber, now_ns: int) -> None:
        data = subscriber.rest + subscriber.sock.recv(1 << 20)
        at, end, seq = 0, len(data), subscriber.seq
        while end - at >= 10:
            size = data[at + 1]
            start = at + 2
            if size == 126:
                size = (data[at + 2] << 8) | data[at + 3]
                start = at + 4
            if start + size > end:
                break
            if data[at] == 0x81:
                seq += 1
                # The frame starts with {"seq":N, and must be the very next one.
                if not data.startswith(b'{"seq":%d,' % seq, start):
                    raise SystemExit(f"expected seq {seq}, got {data[start : start + 40]!r}")
                published = self._published.get(seq)
                if published is None:
                    published = self._published[seq] = json.loads(data[start : start + size])["data"]["at"]
                self.latencies.append((now_ns - published) / 1e6)
                self.frames += 1
            at = start + size
        subscriber.rest, subscriber.seq = data[at:], seq


def subscribe(options: argparse.Namespace, control: Connection) -> None:
    _pin(1)
    port = control.recv()
    subscribers = {s.sock.fileno(): s for s in (Subscriber(port, index) for index in range(options.subscribers))}
    poll = select.epoll()
    for fd in subscribers:
        poll.register(fd, select.EPOLLIN)
    control.send("open")
    tally = Tally()
    expected = options.subscribers * options.events
    last = time.monotonic()
    started: float | None = None
    while tally.frames < expected and time.monotonic() - last < DRAIN_S:
        for fd, _ in poll.poll(1.0):
            tally.read(subscribers[fd], time.monotonic_ns())
            last = time.monotonic()
            started = started or last
    elapsed = last - (started or last)
    latencies = sorted(tally.latencies)
    control.send((tally.frames, elapsed, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]))
    control.recv()


def _pin(core: int) -> None:
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


# The conductor


def run(options: argparse.Namespace) -> None:
    server, server_process = _spawn(serve, options)
    client, client_process = _spawn(subscribe, options)
    try:
        client.send(server.recv())
        resident = server.recv()
        client.recv()
        print(
            f"{options.subscribers} sockets: {resident / 1e6:.0f} MB, "
            f"{resident / options.subscribers / 1000:.1f} kB each, thread stack included"
        )
        if options.idle:
            return
        server.send("go")
        server.recv()
        frames, elapsed, p50, p99 = client.recv()
        server.send("report")
        report = server.recv()
        expected = options.subscribers * options.events
        print(
            f"delivered {frames} of {expected} in order, {frames / elapsed:,.0f}/s, "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; server {report['cpu']:.0%} of a core, "
            f"busy work {report['work']:,.0f}/s; {report['stats']}"
        )
    finally:
        server_process.kill()
        client_process.kill()


def _spawn(
    target: Callable[[argparse.Namespace, Connection], None], options: argparse.Namespace
) -> tuple[Connection, multiprocessing.Process]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=target, args=(options, theirs))
    process.start()
    return ours, process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.0, help="events per second; 0: as many as go through")
    parser.add_argument("--row-bytes", type=int, default=100)
    parser.add_argument("--audiences", action="store_true", help="each subscriber is an audience of its own")
    parser.add_argument("--busy", type=int, default=0, help="computing threads in the server")
    parser.add_argument("--stack-kib", type=int, default=256)
    parser.add_argument("--idle", action="store_true")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
