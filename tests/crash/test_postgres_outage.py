"""Postgres goes away under a server that people are writing to, or one server of several does: the rest lives on.

Six writers push changes under op ids and repeat each one until it is acknowledged, as replicas do. Whatever
happened in between, each is stored once; meanwhile everybody is told quickly that the database is away.
"""

import http.client
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from wsproto.events import Pong

from pylon_runtime.http_limits import ServerLimits
from tests.server.rig import LiveSocket, Server, serving, write_app
from tests.support.postgres import PostgresServer, fresh_database, postgres_server
from tests.support.servers import send
from tests.support.waiting import until

WRITERS = 6
QUICKLY_S = 4.0
"""For an answer while the database is away: nobody waits for it to come back."""
UNKNOWN_AFTER_S = 8.0
"""For one that has to be found out when the database was lost at COMMIT."""


@dataclass
class Writer:
    """One replica: pushes one change after the other until told to stop; ``waits_s`` is how long answers took."""

    servers: Sequence[Server]
    """The first is the one it speaks to, until that does not answer any more."""
    token: str
    name: str
    stop: threading.Event
    acknowledged: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[int, Any]] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    def run(self) -> None:
        self._use(self.servers[0])
        for number in itertools.count():
            self._push_until_acknowledged(f"{self.name}-{number}")
            if self.stop.is_set():
                break
        self._connection.close()

    def _use(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def _push_until_acknowledged(self, op_id: str) -> None:
        change = {"entity": "Post", "row_id": "", "kind": "insert", "data": {"title": op_id}}
        body = {"client_id": self.name, "changes": [{**change, "op_id": op_id}]}
        while True:
            begun = time.monotonic()
            try:
                status, answer = send(self._connection, "POST", "/api/sync/push", body, token=self.token)
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._use(self.servers[-1])
                continue
            self.waits_s.append(time.monotonic() - begun)
            if status == 200 and answer["applied"] == 1:
                self.acknowledged[op_id] = answer["results"][0]["row_id"]
                return
            self.failures.append((status, answer))
            self.stop.wait(0.02)


@contextmanager
def writing(token: str, *servers: Server) -> Iterator[list[Writer]]:
    """Six writers at work for the body of the ``with``; each ends with an acknowledged change."""
    stop = threading.Event()
    writers = [Writer(servers, token, f"w{number}", stop) for number in range(WRITERS)]
    threads = [threading.Thread(target=writer.run, name=writer.name) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield writers
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def acknowledged(writers: list[Writer]) -> dict[str, str]:
    return {op_id: row_id for writer in writers for op_id, row_id in list(writer.acknowledged.items())}


def check_each_once(url: str, writers: list[Writer]) -> list[int]:
    """The rows are what was acknowledged, once each, and the log says the same; returns its seqs."""
    with psycopg.connect(url) as connection:
        rows = connection.execute('SELECT "title", "id" FROM "Post"').fetchall()
        log = connection.execute("SELECT seq, row_id, kind FROM _pylon_changes ORDER BY seq").fetchall()
    assert len(rows) == len(dict(rows)), "a change was applied twice"
    assert dict(rows) == acknowledged(writers)
    assert sorted(row_id for _, row_id, _ in log) == sorted(row_id for _, row_id in rows)
    return [seq for seq, _, _ in log]


def newest_seq(url: str) -> int:
    with psycopg.connect(url) as connection:
        ((newest,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM _pylon_changes").fetchall()
    return int(newest)


def check_answers(writers: list[Writer]) -> None:
    """Refusals say that the database is away, or that the outcome is unknown, and come at once."""
    told = {(status, answer["code"]) for writer in writers for status, answer in writer.failures}
    assert told <= {(503, "NOT_AVAILABLE"), (500, "COMMIT_FAILED")}
    assert max(wait for writer in writers for wait in writer.waits_s) < UNKNOWN_AFTER_S


def await_progress(writers: list[Writer], more: int = 30) -> None:
    enough = len(acknowledged(writers)) + more
    until(lambda: len(acknowledged(writers)) >= enough, f"{more} more changes")


def seqs_until(client: LiveSocket, last: int) -> list[int]:
    seqs = []
    for message in client.messages():
        if "seq" in message:
            seqs.append(message["seq"])
            if message["seq"] >= last:
                break
    return seqs


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """One that may be stopped."""
    with postgres_server() as server:
        yield server


def outages(folder: Path, postgres: PostgresServer, rounds: int, during: Callable[[Server, str], None]) -> None:
    url = fresh_database(postgres)
    heard: list[int] = []
    with serving(write_app(folder), env={"DATABASE_URL": url}) as server:
        token, _ = server.guest()
        socket = server.socket(token)
        assert socket.is_open()
        with writing(token, server) as writers:
            for _ in range(rounds):
                heard += seqs_until(socket, newest_seq(url))
                socket.send(Pong())  # or it would be taken for dead: pings are counted here, not answered
                await_progress(writers)
                postgres.stop("immediate")
                during(server, token)
                postgres.start()
                await_progress(writers)
        check_answers(writers)
        seqs = check_each_once(url, writers)
        heard += seqs_until(socket, seqs[-1])
        assert heard == seqs, "a socket stayed open and missed nothing"
        assert "Traceback" not in server.log_text()


def everything_says_503(server: Server, token: str) -> None:
    for method, path, body in [
        ("GET", "/api/entities/Post", None),
        ("GET", "/api/entities/Post/x", None),
        ("POST", "/api/entities/Post", {"title": "never"}),
        ("PATCH", "/api/entities/Post/x", {"title": "never"}),
        ("DELETE", "/api/entities/Post/x", None),
        ("GET", "/api/sync/pull?since=0", None),
        ("POST", "/api/auth/guest", None),
        ("GET", "/health?ready=1", None),
    ]:
        begun = time.monotonic()
        status, answer = server.request(method, path, body, token=token)
        assert (method, path, status) == (method, path, 503), answer
        assert time.monotonic() - begun < QUICKLY_S, (method, path)
    status, health = server.request("GET", "/health")
    assert (status, health["status"], health["database"]) == (200, "ok", "unavailable")


@pytest.mark.timeout(120)
def test_a_crash_of_postgres_loses_nothing_and_ends_nobody(tmp_path: Path, postgres: PostgresServer) -> None:
    outages(tmp_path, postgres, 2, everything_says_503)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_crashes_of_postgres(tmp_path: Path, postgres: PostgresServer) -> None:
    outages(tmp_path, postgres, 100, lambda server, token: None)


@pytest.mark.timeout(60)
def test_ending_every_connection_in_the_middle_of_writes_is_survived(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = fresh_database(postgres)
    with serving(write_app(tmp_path), env={"DATABASE_URL": url}) as server:
        token, _ = server.guest()
        socket = server.socket(token)
        assert socket.is_open()
        with writing(token, server) as writers:
            for _ in range(5):
                await_progress(writers, 20)
                end_every_connection(url)
        check_answers(writers)
        seqs = check_each_once(url, writers)
        assert seqs_until(socket, seqs[-1]) == seqs


@pytest.mark.timeout(60)
def test_the_clients_of_a_server_that_is_killed_go_on_at_another(tmp_path: Path, postgres: PostgresServer) -> None:
    env = {"DATABASE_URL": fresh_database(postgres)}
    with (
        serving(write_app(tmp_path / "dies"), env=env) as dies,
        serving(write_app(tmp_path / "lives"), env=env) as lives,
    ):
        token, _ = dies.guest()
        socket = lives.socket(token)
        assert socket.is_open()
        with writing(token, dies, lives) as writers:
            await_progress(writers, 60)
            dies.kill()
            await_progress(writers, 60)
        assert [writer.failures for writer in writers] == [[]] * WRITERS
        seqs = check_each_once(env["DATABASE_URL"], writers)
        assert seqs_until(socket, seqs[-1]) == seqs


@pytest.mark.timeout(60)
def test_a_server_that_nobody_speaks_to_notices_and_is_ready_again(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    def ready() -> int:
        return server.request("GET", "/health?ready=1")[0]

    with serving(write_app(tmp_path), env={"DATABASE_URL": fresh_database(postgres)}) as server:
        assert ready() == 200
        postgres.stop("immediate")
        until(lambda: ready() == 503, "the server to notice")
        postgres.start()
        until(lambda: ready() == 200, "the server to be ready again")
        assert server.request("GET", "/api/sync/pull?since=0")[0] == 200


@pytest.mark.timeout(60)
def test_many_who_ask_during_an_outage_are_answered_soon_and_by_a_bounded_number_of_threads(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with serving(write_app(tmp_path), env={"DATABASE_URL": fresh_database(postgres)}) as server:
        token, _ = server.guest()
        crowd = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(300)]
        postgres.stop("immediate")
        begun = time.monotonic()
        for connection in crowd:
            connection.request("GET", "/api/entities/Post", headers={"Authorization": f"Bearer {token}"})
        answers = [connection.getresponse() for connection in crowd]
        took_s = time.monotonic() - begun
        for connection in crowd:
            connection.close()
        postgres.start()

        assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "1")}
        assert took_s < 2 * QUICKLY_S
        assert threads_of(server) < ServerLimits().threads_max + 30


def threads_of(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/task").iterdir()))


def end_every_connection(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
