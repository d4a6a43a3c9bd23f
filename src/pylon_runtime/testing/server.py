"""A server for tests: ``pylon start`` in a process of its own, on a free port, its database in memory.

It shares nothing with any other: not the database, whatever the environment or ``.env`` say, nor the folder of
uploaded files. It dies with the thread that started it, so a test run that is killed leaves nothing behind. One
thread starts and stops it.
"""

import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pylon_core.errors import PylonError
from pylon_runtime.function_launch import dying_with_parent

START_S = 60.0
STOP_S = 10.0
LOG_CHARACTERS_MAX = 4_000
"""Of the log of a server that did not start: its end, where the reason is."""


class InMemoryServer:
    """``environ`` is added to the process's environment and goes before what makes the server a test's own."""

    def __init__(self, app: Path, environ: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.admin_token = secrets.token_urlsafe(24)
        self.url = ""
        self._environ = environ or {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "InMemoryServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once it answers. Raises ``PylonError`` TEST_SERVER_FAILED with what it said."""
        if self._process is not None:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="pylon-test-")
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                # -P: no module of the app's stands in for one of the server's.
                [*dying_with_parent(), sys.executable, "-P", "-m", "pylon_cli", "start", str(self.app), "--json"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for who started it, and stops it
            )
        try:
            self.url = f"http://127.0.0.1:{self._await_port()}"
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _open(process.stdout).close()
        if self._folder is not None:
            self._folder.cleanup()

    def log_text(self) -> str:
        """What it logged so far, what functions printed included; nothing once it is stopped."""
        return "" if self._process is None else self._log_file.read_text(errors="replace")

    @property
    def _log_file(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name, "server.log")

    def _environment(self) -> dict[str, str]:
        assert self._folder is not None
        own = {
            "PYLON_DEV_MODE": "1",
            "PYLON_DB_PATH": ":memory:",
            "DATABASE_URL": "",  # set, so that no .env of the app's sends tests to a real database
            "PYLON_HOST": "127.0.0.1",
            "PYLON_PORT": "0",
            "PYLON_EXTRA_PORTS": "0",
            "PYLON_ADMIN_TOKEN": self.admin_token,
            "PYLON_FILES_PROVIDER": "local",
            "PYLON_FILES_DIR": str(Path(self._folder.name, "uploads")),
            "PYLON_DRAIN_SECS": "2",
        }
        return {**os.environ, **own, **self._environ}

    def _await_port(self) -> int:
        assert self._process is not None
        said = []
        for line in _lines(_open(self._process.stdout), time.monotonic() + START_S):
            said.append(line)
            message = _json(line)
            if isinstance(message, dict) and message.get("code") == "START_OK":
                return int(message["port"])
        why = "\n".join([*map(_problems, said), self.log_text()]).strip()
        raise PylonError(
            "TEST_SERVER_FAILED",
            f"The server for tests of {self.app} did not start.",
            hint=why[-LOG_CHARACTERS_MAX:] or None,
        )


def _lines(stream: IO[bytes], deadline: float) -> Iterator[str]:
    """Until the stream ends or the deadline."""
    rest = b""
    while select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(stream.fileno(), 1 << 16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def _problems(line: str) -> str:
    """A line of diagnostics in words, any other as it is."""
    found = _json(line)
    if not isinstance(found, list):
        return line
    return "\n".join(
        f"{each.get('code')}: {each.get('message')} {each.get('hint', '')}".rstrip() for each in found
    )


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # asked for with PIPE
    return stream
