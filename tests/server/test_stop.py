"""The end of a server: what is in flight finishes, what is connected is told, nothing stays behind."""

import json
import os
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from pylon_core.clock import SystemClock
from pylon_runtime.app_folder import AppFolder, load_manifest
from pylon_runtime.composition import build
from pylon_runtime.config import ServerConfig
from tests.pylon_runtime.server_rig import open_descriptors, post
from tests.server.rig import GATED_MUTATION, MARK, Server, marked, returning, serving, write_app, write_function
from tests.support.waiting import until

GOING_AWAY = 1001
SIGNALS = pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name
)


class GatedCall:
    """A call of the gated mutation, in flight once constructed; ``finish`` lets it end."""

    def __init__(self, server: Server, token: str | None = None) -> None:
        self.gate = server.app / f"gate-{id(self)}"
        self.answers: list[Any] = []
        self._thread = threading.Thread(target=self._call, args=(server, token))
        self._thread.start()
        until(Path(f"{self.gate}.reached").exists, "the call to be in flight")

    def _call(self, server: Server, token: str | None) -> None:
        try:
            self.answers.append(server.request("POST", "/api/fn/gated", self._args(), token=token))
        except OSError as error:
            self.answers.append(error)

    def _args(self) -> dict[str, str]:
        return {"title": "slow", "gate": str(self.gate)}

    def finish(self) -> Any:
        self.gate.touch()
        self._thread.join(20)
        (answer,) = self.answers
        return answer


def stops_listening(server: Server) -> None:
    def refuses() -> bool:
        try:
            server.request("GET", "/health", timeout=2)
        except OSError:
            return True
        return False

    until(refuses, "the end of listening")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path, functions={"ping": returning(1), "gated": GATED_MUTATION})


@SIGNALS
def test_a_stop_lets_requests_finish_and_closes_sockets_normally(app: Path, number: signal.Signals) -> None:
    with serving(app) as server:
        server.await_functions()
        token, _ = server.guest()
        client = server.socket(token)
        call = GatedCall(server, token)

        os.kill(server.pid, number)
        stops_listening(server)
        status, answer = call.finish()

        assert status == 200
        changes = [message for message in client.messages() if "seq" in message]
        assert [change["row_id"] for change in changes] == [answer["id"]]
        assert client.closed_with == GOING_AWAY
        assert server.wait(10) == 0
    with closing(apsw.Connection(str(app / ".pylon" / "dev.db"))) as database:
        assert list(database.execute('SELECT "id" FROM "Post"')) == [(answer["id"],)]
        assert database.pragma("integrity_check") == "ok"
    with serving(app) as server:
        assert server.request("GET", f"/api/entities/Post/{answer['id']}", token=token)[0] == 200


@SIGNALS
def test_the_second_signal_ends_it_at_once(app: Path, number: signal.Signals) -> None:
    with serving(app) as server:
        server.await_functions()
        call = GatedCall(server)

        os.kill(server.pid, number)
        stops_listening(server)
        os.kill(server.pid, signal.SIGINT)

        assert server.wait(5) == -signal.SIGINT
        assert isinstance(call.finish(), OSError)
    with closing(apsw.Connection(str(app / ".pylon" / "dev.db"))) as database:
        assert list(database.execute('SELECT "id" FROM "Post"')) == []


def test_what_does_not_end_in_time_is_cut_and_the_sockets_still_get_their_close_frame(app: Path) -> None:
    with serving(app, env={"PYLON_DRAIN_SECS": "1"}) as server:
        server.await_functions()
        token, _ = server.guest()
        client = server.socket(token)
        call = GatedCall(server)

        os.kill(server.pid, signal.SIGTERM)

        assert client.close_code() == GOING_AWAY
        assert server.wait(10) == 0
        assert isinstance(call.finish(), OSError)
    with closing(apsw.Connection(str(app / ".pylon" / "dev.db"))) as database:
        assert list(database.execute('SELECT "id" FROM "Post"')) == [], "a mutation that was cut left nothing"


@pytest.mark.parametrize("signals", [[signal.SIGKILL], [signal.SIGINT, signal.SIGINT]], ids=["killed", "twice"])
def test_a_function_that_computes_without_end_does_not_outlive_the_server(
    app: Path, signals: list[signal.Signals]
) -> None:
    busy = app / "busy"
    endless = f"await Bun.write({json.dumps(str(busy))}, ''); while (true) {{}}"
    write_function(app, "endless", f"export default action({{ handler: async () => {{ {endless} }} }});")
    with serving(app) as server:
        server.await_functions()
        caller = socket.create_connection(("127.0.0.1", server.port))
        caller.sendall(post(b"{}", "/api/fn/endless"))
        until(busy.exists, "the endless loop")

        os.kill(server.pid, signals[0])
        for number in signals[1:]:
            stops_listening(server)
            os.kill(server.pid, number)

        assert server.wait(5) == -signals[-1]
        caller.close()


def test_a_client_that_ignores_the_close_frame_cannot_hold_up_the_end(app: Path) -> None:
    with serving(app) as server:
        token, _ = server.guest()
        silent = [server.socket(token) for _ in range(5)]

        os.kill(server.pid, signal.SIGTERM)

        assert server.wait(8) == 0
        for client in silent:
            assert client.close_code() == GOING_AWAY


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.2, 0.3, 0.4])
def test_a_stop_at_any_moment_of_the_start_is_clean(app: Path, moment: float) -> None:
    server = Server(app)
    server.start(wait=False)
    # Long before the handlers are in place, around it, and well after: never a hang, never a child left.
    server.wait(moment)

    os.kill(server.pid, signal.SIGTERM)

    assert server.wait(15) in (0, -signal.SIGTERM)
    until(lambda: not server.processes(), "the end of its processes")


def test_twenty_starts_and_stops_leave_nothing_behind(app: Path) -> None:
    environ = {
        **os.environ,
        MARK: "twenty-lives",
        "PYLON_DEV_MODE": "1",
        "PYLON_EXTRA_PORTS": "0",
        "PYLON_PORT": "0",
    }
    config = ServerConfig.from_env(environ)
    folder = AppFolder(app)
    loaded = load_manifest(folder, config)

    def live() -> None:
        running = build(config, folder, loaded, environ, SystemClock())
        running.start()
        running.stop()
        running.stop()

    live()
    threads, descriptors = threading.active_count(), open_descriptors()
    for _ in range(20):
        live()

    until(lambda: threading.active_count() <= threads, "the end of its threads")
    until(lambda: open_descriptors() <= descriptors, "the end of its descriptors")
    until(lambda: not marked("twenty-lives"), "the end of its processes")


@pytest.mark.parametrize("command", ["dev", "start"])
def test_both_commands_stop_with_exit_code_zero(app: Path, command: str) -> None:
    env = {"PYLON_CORS_ORIGIN": "https://notes.example", "PYLON_HOST": "127.0.0.1"}
    with serving(app, env=env, command=command) as server:
        assert server.stop() == 0
        assert '"level": "error"' not in server.log_text()
