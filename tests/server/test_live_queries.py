"""Live queries on a real server: over its sockets, beside requests, over a restart, and to its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.support.live_queries import LiveClient
from tests.support.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"))
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as server:
        yield server


class Guest:
    """A signed-in guest with a socket."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token, self.user_id = server.guest()
        self.client = LiveClient(server.port, self.token)

    def ask(self, entity: str, **query: Any) -> None:
        self.client.subscribe("q", entity, **query)

    def create(self, entity: str, **data: Any) -> Any:
        status, row = self.server.request("POST", f"/api/entities/{entity}", data, token=self.token)
        assert status == 201, row
        return row

    def query(self, entity: str, body: Any) -> Any:
        return self.server.request("POST", f"/api/query/{entity}", body, token=self.token)[1]

    def await_titles(self, *titles: str, query_id: str = "q") -> None:
        def hold() -> bool:
            self.client.catch_up()
            kept = self.client.lists.get(query_id)
            return kept is not None and [row["title"] for row in kept.rows] == list(titles)

        until(hold, f"the titles {titles}")

    def await_refusal(self) -> str:
        def refused() -> bool:
            self.client.catch_up()
            return "q" in self.client.errors

        until(refused, "a refusal")
        return self.client.errors["q"]


@pytest.fixture
def guest(server: Server) -> Iterator[Guest]:
    guest = Guest(server)
    yield guest
    guest.client.drop()


def test_a_list_follows_what_is_written_over_http(guest: Guest) -> None:
    mine = {"ownerId": guest.user_id}
    guest.ask("Note", where={"done": False}, order={"rank": "desc"}, limit=2)
    rows = [guest.create("Note", title=f"n{rank}", rank=rank, done=False, **mine) for rank in range(4)]
    guest.await_titles("n3", "n2")

    guest.server.request("PATCH", f"/api/entities/Note/{rows[3]['id']}", {"done": True}, token=guest.token)
    guest.await_titles("n2", "n1")

    guest.server.request("DELETE", f"/api/entities/Note/{rows[2]['id']}", token=guest.token)
    guest.await_titles("n1", "n0")

    assert guest.client.rows("q") == guest.query("Note", {"done": False, "$order": {"rank": "desc"}, "$limit": 2})


def test_what_others_own_stays_theirs(server: Server, guest: Guest) -> None:
    other = Guest(server)
    try:
        guest.ask("Note")
        other.ask("Note")
        row = guest.create("Note", title="mine", ownerId=guest.user_id)
        guest.await_titles("mine")

        server.request(
            "POST",
            "/api/transact",
            [{"op": "update", "entity": "Note", "id": row["id"], "data": {"ownerId": other.user_id}}],
            token=ADMIN_TOKEN,
        )

        other.await_titles("mine")
        guest.await_titles()
    finally:
        other.client.drop()


def test_a_refusal_is_the_one_of_the_query_route(guest: Guest) -> None:
    guest.ask("User", where={"passwordHash": "x"})

    assert guest.await_refusal() == guest.query("User", {"passwordHash": "x"})["error"]["code"]


def test_after_a_restart_the_query_is_asked_again(tmp_path: Path) -> None:
    with serving(write_app(tmp_path / "app")) as server:
        guest = Guest(server)
        guest.ask("Post")
        guest.create("Post", title="before")
        guest.await_titles("before")

        server.stop()
        assert guest.client.close_code() == 1001
        guest.client.drop()
        server.start()
        guest.client = LiveClient(server.port, guest.token)
        guest.ask("Post")
        guest.await_titles("before")

        guest.create("Post", title="later")
        guest.await_titles("before", "later")
        guest.client.drop()


def test_many_clients_with_many_queries_get_all_their_answers(server: Server) -> None:
    titles = [f"{number:02}" for number in range(20)]
    guests = [Guest(server) for _ in range(6)]
    try:
        for title in titles:
            guests[0].create("Post", title=title)
        for guest in guests:
            for title in titles:
                guest.client.subscribe(title, "Post", where={"title": {"$gte": title}})

        guests[0].create("Post", title="99")

        for guest in guests:
            for position, title in enumerate(titles):
                guest.await_titles(*titles[position:], "99", query_id=title)
    finally:
        for guest in guests:
            guest.client.drop()
