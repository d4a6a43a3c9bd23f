"""How fast the HTTP server is with almost nothing behind it: requests/s, p50 and p99 by connections and turns.

    python -m bench.server_probe                    # the table
    python -m bench.server_probe --work compute     # a handler that computes for 100 us
    python -m bench.server_probe --work wait        # a handler that waits 200 us, as for a commit
    python -m bench.server_probe --work native      # a handler busy outside the interpreter, as in a database

The server runs in a child process, pinned to core 0 with ``--pin`` (wrk is always on core 1), so the load
generator never shares its interpreter lock. wrk must be installed.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pylon_core.clock import SystemClock
from pylon_core.turns import blocking
from pylon_http import Request, Response
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.response_headers import common_headers
from pylon_runtime.server import PylonServer

BODY = b'{"id":"0123456789abcdef","title":"%b","done":false}' % (b"x" * 150)
COMPUTE_S = 100e-6
WAIT_S = 200e-6
NATIVE_BYTES = bytes(40_000)  # some 30 us


def plain(_request: Request) -> Response:
    return Response(200, BODY)


def compute(_request: Request) -> Response:
    """Hold the interpreter for a while, as routing, policy and encoding do."""
    end = time.perf_counter() + COMPUTE_S
    while time.perf_counter() < end:
        pass
    return Response(200, BODY)


def wait(_request: Request) -> Response:
    """Step aside for a while, as a write does until its group is committed."""
    with blocking():
        time.sleep(WAIT_S)
    return Response(200, BODY)


def native(_request: Request) -> Response:
    """Work without the interpreter lock for a while, as a read in SQLite does."""
    hashlib.sha256(NATIVE_BYTES)
    return Response(200, BODY)


WORKS: dict[str, Callable[[Request], Response]] = {
    "plain": plain,
    "compute": compute,
    "wait": wait,
    "native": native,
}


@dataclass(frozen=True)
class Result:
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: str

    def __str__(self) -> str:
        return f"{self.per_second:9,.0f}/s  p50 {self.p50_ms:7.2f} ms  p99 {self.p99_ms:7.2f} ms  {self.errors}"


def serve(work: str, turns: int) -> None:
    """The child: print the port, serve until the parent closes our input."""
    server = PylonServer(
        "127.0.0.1",
        0,
        WORKS[work],
        lambda _request, sock, _tail: sock.close(),
        ServerLimits(active_threads=turns),
        wsgi_app=lambda _environ, _start: [],
        clock=SystemClock(),
        headers=common_headers("*"),
    )
    server.start()
    print(server.port, flush=True)
    sys.stdin.read()
    server.stop(time.monotonic() + 5)


@contextmanager
def running(work: str, turns: int, *, pinned: bool) -> Iterator[str]:
    """A server in a child process; its URL."""
    prefix = ["taskset", "-c", "0"] if pinned else []
    command = [sys.executable, "-m", "bench.server_probe", "--serve", "--work", work, "--turns", str(turns)]
    with subprocess.Popen([*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/api/entities/Todo/1"
        child.stdin.close()


def wrk(url: str, connections: int, seconds: int) -> Result:
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert rate is not None, out
    errors = " ".join(re.findall(r"(?:Socket errors|Non-2xx)[^\n]*", out))
    return Result(float(rate[1]), _percentile(out, 50), _percentile(out, 99), errors)


def _percentile(out: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", out)
    assert found is not None, out
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=WORKS, default="plain")
    parser.add_argument("--turns", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64, 256, 1000])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved; the best of each is printed")
    parser.add_argument("--pin", action="store_true", help="pin the server to core 0")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.work, options.turns[0])
        return
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is needed and not installed")
    print(f"{options.work}, server {'on core 0' if options.pin else 'unpinned'}, load {os.getloadavg()[0]:.2f}")
    best: dict[tuple[int, int], Result] = {}
    with ExitStack() as stack:
        urls = {n: stack.enter_context(running(options.work, n, pinned=options.pin)) for n in options.turns}
        for _ in range(options.rounds):
            for connections in options.connections:
                for turns, url in urls.items():
                    wrk(url, connections, 1)
                    result = wrk(url, connections, options.seconds)
                    key = (turns, connections)
                    best[key] = max(best.get(key, result), result, key=lambda r: r.per_second)
    for (turns, connections), result in sorted(best.items()):
        print(f"  {turns} turns {connections:5} connections {result}")


if __name__ == "__main__":
    main(sys.argv[1:])
