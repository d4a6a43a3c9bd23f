"""``pylon dev`` follows its files while clients are connected, and nobody loses anything by it."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import (
    GATED_MUTATION,
    Server,
    notes_app,
    optional,
    returning,
    rules,
    serving,
    write_app,
    write_function,
    write_manifest,
)
from tests.strategies.documents import Document, entity
from tests.support.waiting import until

GOING_AWAY = 1001


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(write_app(tmp_path)) as server:
        yield server


def grown(document: Document) -> Document:
    """With a field and an entity more."""
    document["entities"][1]["fields"].append(optional("colour"))
    document["entities"].append(entity("Tag"))
    document["policies"].append(rules("Tag", allow="true"))
    return document


def answers(server: Server, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
    """The answer once there is one: the server may be between two lives."""
    while True:
        with suppress(OSError, http.client.HTTPException):
            return server.request(method, path, body, token=token)


def test_a_new_field_and_a_new_entity_come_while_clients_are_connected(server: Server) -> None:
    token, _ = server.guest()
    _, old = server.request("POST", "/api/entities/Post", {"title": "old"}, token=token)
    client = server.socket(token)

    write_manifest(server.app, grown(notes_app()))

    assert client.close_code() == GOING_AWAY
    new = {"title": "new", "colour": "red"}
    until(lambda: answers(server, "POST", "/api/entities/Post", new, token)[0] == 201, "the new field")
    assert server.request("POST", "/api/entities/Tag", {"title": "t"}, token=token)[0] == 201
    _, rows = server.request("GET", "/api/entities/Post", token=token)
    assert [(row["title"], row["colour"]) for row in rows] == [("old", None), ("new", "red")]
    assert rows[0]["id"] == old["id"]
    again = server.socket(token)
    server.request("POST", "/api/entities/Tag", {"title": "live"}, token=token)
    assert "live" in (message.get("data", {}).get("title") for message in again.messages())


BROKEN = {
    "json": "{",
    "policy": notes_app(policies=[rules("Note", allow="auth.userId ==")]),
    "type": notes_app(entities=[entity("Post", fields=[optional("title", "strnig")])]),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
def test_a_manifest_with_an_error_keeps_the_old_app_running(server: Server, broken: Any) -> None:
    token, _ = server.guest()
    client = server.socket(token)
    manifest = server.app / "pylon.manifest.json"

    if isinstance(broken, str):
        manifest.write_text(broken)
    else:
        write_manifest(server.app, broken)

    server.await_log("Rebuild 2 failed")
    server.await_log("  error[")
    server.request("POST", "/api/entities/Post", {"title": "still here"}, token=token)
    assert client.next()["data"]["title"] == "still here"

    write_manifest(server.app, grown(notes_app()))
    server.await_log("Rebuild 3: notes")
    assert answers(server, "POST", "/api/entities/Tag", {"title": "t"}, token)[0] == 201


def test_what_the_database_refuses_brings_the_old_app_back(server: Server) -> None:
    token, _ = server.guest()
    for _ in range(2):
        server.request("POST", "/api/entities/Post", {"title": "twin"}, token=token)
    refused = notes_app()
    refused["entities"][1]["indexes"] = [{"name": "by_title", "fields": ["title"], "unique": True}]

    write_manifest(server.app, refused)

    server.await_log("SCHEMA_INIT_FAILED")
    status, rows = answers(server, "GET", "/api/entities/Post", token=token)
    assert (status, len(rows)) == (200, 2)


def test_a_manifest_saved_unchanged_disturbs_nobody(server: Server) -> None:
    token, _ = server.guest()
    client = server.socket(token)
    write_manifest(server.app, notes_app())
    write_manifest(server.app, notes_app(version="9"))

    server.await_log("Rebuild 2: notes 9")
    assert client.close_code() == GOING_AWAY
    assert "Rebuild 3" not in server.log_text()


def test_a_function_changed_while_calls_are_in_flight_drops_none_of_them(tmp_path: Path) -> None:
    functions = {"ping": returning(1), "gated": GATED_MUTATION}
    with serving(write_app(tmp_path, functions=functions)) as server:
        server.await_functions()
        gate = tmp_path / "gate"
        gated: list[Any] = []
        waiting = threading.Thread(
            target=lambda: gated.append(server.call("gated", {"title": "slow", "gate": str(gate)}))
        )
        waiting.start()
        until(Path(f"{gate}.reached").exists, "the call to be in flight")
        done = threading.Event()
        seen: list[list[Any]] = [[] for _ in range(3)]

        def keep_calling(values: list[Any]) -> None:
            while not done.is_set():
                values.append(server.request("POST", "/api/fn/ping", {}))

        callers = [threading.Thread(target=keep_calling, args=(values,)) for values in seen]
        for caller in callers:
            caller.start()
        for version in (2, 3, 4):
            write_function(tmp_path, "ping", returning(version))
            until(lambda wanted=version: server.call("ping") == wanted, "the new code")  # type: ignore[misc]
        done.set()
        for caller in callers:
            caller.join()
        gate.touch()
        waiting.join()

        for values in seen:
            assert {status for status, _ in values} == {200}
            assert [value for _, value in values] == sorted(value for _, value in values)
        assert server.request("GET", f"/api/entities/Post/{gated[0]['id']}")[0] != 404
        until(lambda: len(server.children()) == 2, "the old children to end")


def test_a_functions_folder_may_appear_later_and_go_again(server: Server) -> None:
    status, answer = server.request("POST", "/api/fn/ping", {})
    assert (status, answer["code"]) == (503, "FUNCTIONS_NOT_AVAILABLE")

    write_function(server.app, "ping", returning("pong"))
    until(lambda: server.request("POST", "/api/fn/ping", {}) == (200, "pong"), "the first function")

    write_function(server.app, "later", returning("too"))
    until(lambda: server.request("POST", "/api/fn/later", {}) == (200, "too"), "the second one")


def test_a_function_that_cannot_be_loaded_spoils_no_other(tmp_path: Path) -> None:
    with serving(write_app(tmp_path, functions={"ping": returning(1)})) as server:
        server.await_functions()

        write_function(tmp_path, "broken", "export default query({ handler: async () => { ")
        write_function(tmp_path, "ping", returning(2))

        until(lambda: server.request("POST", "/api/fn/ping", {}) == (200, 2), "the sound function")
        assert server.request("POST", "/api/fn/broken", {})[0] == 404


def test_a_function_file_that_hangs_as_it_is_loaded_does_not_hold_up_ctrl_c(tmp_path: Path) -> None:
    with serving(write_app(tmp_path, functions={"ping": returning(1)})) as server:
        until(lambda: server.log_text().count("functions_process_ready") == 2, "the spare child too")
        before = set(server.children())

        write_function(tmp_path, "hang", "await new Promise(() => {});\n" + returning(2))
        until(lambda: bool(set(server.children()) - before), "the fresh child")

        assert server.request("POST", "/api/fn/ping", {}) == (200, 1)
        assert server.stop() == 0


def test_pages_may_appear_while_the_server_runs(server: Server) -> None:
    assert server.request("GET", "/")[0] == 404
    (server.app / "public").mkdir()
    (server.app / "public" / "index.html").write_text("<h1>hello</h1>")

    assert server.request("GET", "/") == (200, b"<h1>hello</h1>")
