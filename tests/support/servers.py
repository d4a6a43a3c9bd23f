"""A real server in a process of its own, started and stopped (or killed) by process id."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

START_SECONDS = 30
STOP_SECONDS = 20


def free_port() -> int:
    """A port nobody listens on now; servers of tests listen on it alone (no extra ports)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports_in_a_row() -> int:
    """The first of three neighbouring ports that nobody listens on now."""
    while True:
        first = free_port()
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", first + 1)),
            socket.create_server(("127.0.0.1", first + 2)),
        ):
            return first


class ServerProcess:
    """``pylon dev`` on an app folder. ``log`` is the file its output goes to."""

    program: ClassVar[str] = "pylon_cli"
    """The module that is run."""

    def __init__(self, app: Path, *, env: Mapping[str, str] | None = None, port: int | None = None) -> None:
        self.app = app
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = app / "server.log"
        self._env = {**os.environ, "PYLON_EXTRA_PORTS": "0", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: str = "dev", *, wait: bool = True) -> "ServerProcess":
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.program, command, str(self.app), "--port", str(self.port)],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        if wait:
            self.wait_until_answering()
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive():
                raise AssertionError(f"the server ended: {self.log.read_text()}")
            with suppress(OSError, http.client.HTTPException):
                if self.request("GET", "/health")[0] == 200:
                    return
            time.sleep(0.01)
        raise AssertionError(f"the server does not answer: {self.log.read_text()}")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        if self.alive():
            self._process.terminate()
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def wait(self, seconds: float) -> int | None:
        """The exit code when the process ends within that time."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, timeout: float = 20
    ) -> tuple[int, Any]:
        """One request on a connection of its own: status and decoded body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            return send(connection, method, path, body, token=token)
        finally:
            connection.close()

    def guest(self) -> tuple[str, str]:
        """A new guest: token and user id."""
        status, answer = self.request("POST", "/api/auth/guest")
        assert status == 201, answer
        return answer["token"], answer["user_id"]


def send(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, *, token: str | None = None
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    payload = None if body is None else json.dumps(body)
    connection.request(method, path, payload, headers)
    response = connection.getresponse()
    raw = response.read()
    is_json = response.headers.get("content-type", "").startswith("application/json")
    return response.status, json.loads(raw) if raw and is_json else raw
