"""Several servers on one Postgres database are one backend: its changes, sessions and op ids are everybody's."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.server.rig import LiveSocket, Server, notes_app, rules, serving, write_app
from tests.support.postgres import fresh_database
from tests.support.waiting import until

ROWS = 40
REVOKED = 1008
REPLACED = 1012


@contextmanager
def replicas(folder: Path, url: str, count: int) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(write_app(folder / f"replica{number}"), env={"DATABASE_URL": url}))
            for number in range(count)
        ]


@contextmanager
def of_two_versions(folder: Path, url: str) -> Iterator[tuple[Server, Server]]:
    """A server, and one that was started after it with another rule for notes."""
    new_rules = [
        rules("Note", allow="auth.userId == data.ownerId || data.done == true"),
        *notes_app()["policies"][1:],
    ]
    with serving(write_app(folder / "old"), env={"DATABASE_URL": url}) as old:
        newer = write_app(folder / "new", notes_app(policies=new_rules))
        with serving(newer, env={"DATABASE_URL": url}) as new:
            yield old, new


@pytest.fixture(scope="module")
def url() -> str:
    return fresh_database()


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[list[Server]]:
    with replicas(tmp_path_factory.mktemp("replicas"), url, 3) as servers:
        yield servers
        for server in servers:
            assert "Traceback" not in server.log_text()
            assert "request_failed" not in server.log_text()


@pytest.fixture
def pair(trio: list[Server]) -> list[Server]:
    return trio[:2]


def side_by_side(*works: Callable[[], object]) -> None:
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a failure there is one of the test's
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


def pulled(server: Server, token: str, since: int = 0) -> list[tuple[int, str]]:
    """Seq and row id of all there is to pull."""
    found: list[tuple[int, str]] = []
    while True:
        status, page = server.request("GET", f"/api/sync/pull?since={since}", token=token)
        assert status == 200, page
        found += [(change["seq"], change["row_id"]) for change in page["changes"]]
        since = page["cursor"]["last_seq"]
        if not page["has_more"]:
            return found


def heard(client: LiveSocket, last: int, since: int) -> list[tuple[int, str]]:
    """Seq and row id of every event behind ``since`` up to the seq ``last``."""
    events: list[tuple[int, str]] = []
    for message in client.messages():
        if message.get("seq", 0) > since:
            events.append((message["seq"], message["row_id"]))
            if message["seq"] >= last:
                break
    return events


def newest(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT coalesce(max(seq), 0) FROM _pylon_changes").fetchone()
    assert found is not None
    return int(found[0])


def me(server: Server, token: str) -> Any:
    status, answer = server.request("GET", "/api/auth/me", token=token)
    assert status == 200, answer
    return answer["user_id"]


def test_every_socket_on_every_replica_sees_every_change_once_in_order(trio: list[Server], url: str) -> None:
    token, _ = trio[0].guest()
    before = newest(url)
    sockets = [server.socket(token) for server in trio for _ in range(2)]
    assert all(socket.is_open() for socket in sockets)

    def write_to(server: Server) -> None:
        for number in range(ROWS):
            status, row = server.request("POST", "/api/entities/Post", {"title": f"{number}"}, token=token)
            assert status == 201, row
            if number % 4 == 0:
                path = f"/api/entities/Post/{row['id']}"
                assert server.request("PATCH", path, {"title": "changed"}, token=token)[0] == 200
                assert server.request("DELETE", path, token=token)[0] == 200

    side_by_side(*(partial(write_to, server) for server in trio))

    expected = pulled(trio[0], token, before)
    assert len(expected) == 3 * (ROWS + ROWS // 4 * 2)
    assert [seq for seq, _ in expected] == sorted({seq for seq, _ in expected})
    assert [pulled(server, token, before) for server in trio[1:]] == [expected] * 2
    last = expected[-1][0]
    assert [heard(socket, last, before) for socket in sockets] == [expected] * len(sockets)


def test_who_has_an_answer_reads_what_it_wrote_anywhere(pair: list[Server]) -> None:
    one, two = pair
    token, _ = one.guest()

    for number in range(50):
        _, row = one.request("POST", "/api/entities/Post", {"title": f"{number}"}, token=token)
        assert two.request("GET", f"/api/entities/Post/{row['id']}", token=token) == (200, row)


def test_a_session_is_good_everywhere_and_ends_everywhere(pair: list[Server]) -> None:
    one, two = pair
    token, user_id = one.guest()
    sockets = [server.socket(token) for server in pair]
    assert all(socket.is_open() for socket in sockets)
    assert [me(server, token) for server in pair] == [user_id, user_id]

    assert one.request("DELETE", "/api/auth/session", token=token)[0] == 200

    until(lambda: me(two, token) is None, "the end of the session on the other replica")
    assert [socket.close_code() for socket in sockets] == [REVOKED, REVOKED]
    assert me(one, token) is None


def test_a_session_that_ended_while_notices_were_missed_ends_all_the_same(pair: list[Server], url: str) -> None:
    """Every connection is cut, also the one that listens."""
    one, two = pair
    token, _ = one.guest()
    stays, stays_id = two.guest()
    client, other = two.socket(token), two.socket(stays)
    assert client.is_open()
    assert other.is_open()

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM _pylon_sessions WHERE user_id <> %s", (stays_id,))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert client.close_code() == REVOKED
    assert me(two, token) is None
    assert other.is_open()
    assert me(two, stays) == stays_id


@pytest.mark.parametrize("batch", [1, 5])
def test_an_op_id_counts_once_on_all_replicas(pair: list[Server], url: str, batch: int) -> None:
    token, _ = pair[0].guest()
    rounds = 15
    answers: list[tuple[int, Any]] = []

    def push(server: Server, changes: Sequence[Any]) -> None:
        body = {"client_id": "c1", "changes": changes}
        answers.append(server.request("POST", "/api/sync/push", body, token=token))

    for number in range(rounds):
        names = [f"op-{batch}-{number}-{n}" for n in range(batch)]
        changes = [
            {"entity": "Post", "row_id": "", "kind": "insert", "data": {"title": name}, "op_id": name}
            for name in names
        ]
        side_by_side(*(partial(push, server, changes) for server in pair * 2))

    assert [status for status, _ in answers] == [200] * len(answers)
    assert [answer["errors"] for _, answer in answers] == [[]] * len(answers)
    assert {answer["applied"] for _, answer in answers} == {batch}
    assert sum(answer["deduped"] for _, answer in answers) == 3 * rounds * batch
    with psycopg.connect(url) as connection:
        text = 'SELECT count(*), count(DISTINCT "title") FROM "Post" WHERE "title" LIKE %s'
        found = connection.execute(text, (f"op-{batch}-%",)).fetchone()
    assert found == (rounds * batch, rounds * batch)


def test_one_replica_ends_and_the_others_go_on(tmp_path: Path) -> None:
    with replicas(tmp_path, fresh_database(), 2) as (one, two):
        token, user_id = one.guest()
        client = two.socket(token)
        assert client.is_open()
        _, first = one.request("POST", "/api/entities/Post", {"title": "by one"}, token=token)

        one.kill()

        status, second = two.request("POST", "/api/entities/Post", {"title": "by two"}, token=token)
        assert status == 201
        assert me(two, token) == user_id
        assert [client.next()["row_id"], client.next()["row_id"]] == [first["id"], second["id"]]


def test_two_servers_started_at_once_on_an_empty_database_both_come_up(tmp_path: Path) -> None:
    url = fresh_database().replace("postgres@", "postgres:s3cret@")
    env = {"DATABASE_URL": url, "PYLON_CORS_ORIGIN": "https://app.example"}
    servers = [Server(write_app(tmp_path / name), env=env) for name in ("one", "two")]
    try:
        for server in servers:
            server.start("start", wait=False)
        for server in servers:
            server.wait_until_answering()
        token, user_id = servers[0].guest()
        status, row = servers[0].request("POST", "/api/entities/Post", {"title": "hello"}, token=token)
        assert status == 201
        assert servers[1].request("GET", f"/api/entities/Post/{row['id']}", token=token) == (200, row)
        assert me(servers[1], token) == user_id
        for server in servers:
            assert "Database  postgresql://postgres@127.0.0.1" in server.log_text()
            assert "s3cret" not in server.log_text()
    finally:
        for server in servers:
            server.stop()


def test_a_server_started_later_replays_what_others_wrote_just_before(tmp_path: Path) -> None:
    url = fresh_database()
    with serving(write_app(tmp_path / "first"), env={"DATABASE_URL": url}) as first:
        token, _ = first.guest()
        posts = [first.request("POST", "/api/entities/Post", {"title": "x"}, token=token)[1] for _ in range(3)]
        with serving(write_app(tmp_path / "later"), env={"DATABASE_URL": url}) as later:
            client = later.socket(token)
            posts.append(first.request("POST", "/api/entities/Post", {"title": "x"}, token=token)[1])

            assert [client.next()["row_id"] for _ in posts] == [post["id"] for post in posts]


def test_while_servers_are_replaced_by_ones_with_other_rules_the_old_ones_write_and_the_new_ones_tell(
    tmp_path: Path,
) -> None:
    url = fresh_database()
    with serving(write_app(tmp_path / "first"), env={"DATABASE_URL": url}) as first:
        token, user_id = first.guest()
        note = {"title": "t", "ownerId": user_id, "done": False}
        _, mine = first.request("POST", "/api/entities/Note", note, token=token)
    with of_two_versions(tmp_path, url) as (old, new):
        assert old.socket(token).close_code() == REPLACED
        assert old.request("GET", "/api/sync/pull?since=0", token=token)[0] == 503
        other_token, _ = new.guest()
        other = new.socket(other_token)
        assert other.is_open()

        for done in (True, False):
            status, _ = old.request("PATCH", f"/api/entities/Note/{mine['id']}", {"done": done}, token=token)
            assert status == 200

        kinds = []
        for message in other.messages():
            kinds.append(message["kind"])
            if message["kind"] == "delete":
                break
        assert kinds == ["update", "delete"], "the old server logged what the new rule looks at"
        assert new.request("GET", "/api/sync/pull?since=0", token=token)[0] in (200, 410)


def test_old_servers_serve_replicas_again_when_the_new_one_was_a_mistake(tmp_path: Path) -> None:
    url = fresh_database()
    with of_two_versions(tmp_path, url) as (old, new):
        token, _ = old.guest()
        until(lambda: old.request("GET", "/api/sync/pull?since=0", token=token)[0] == 503, "the old to notice")
        new.kill()
        with serving(write_app(tmp_path / "again"), env={"DATABASE_URL": url}) as again:

            def pulls() -> bool:
                return old.request("GET", "/api/sync/pull?since=0", token=token)[0] != 503

            until(pulls, "the old to be served again")
            client = old.socket(token)
            assert client.is_open()
            status, row = again.request("POST", "/api/entities/Post", {"title": "x"}, token=token)
            assert status == 201
            assert client.next()["row_id"] == row["id"]
