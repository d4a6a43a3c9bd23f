"""What a real server shows besides the routes' own answers: sockets and their replay, files, HEAD, its log.

The routes themselves are walked in ``tests/pylon_router/test_policy_walk.py``, with the same app and rows. Nobody
here has a tenant: no route gives a session one yet.
"""

import http.client
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from pylon_runtime.hub import SYNC_PATHS
from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.support.policy_world import HIDDEN_NUMBER, MARK, ROWS, SECRET, WORLD

_MARK = re.compile(f"{MARK}([a-z-]+)")
REFUSED = 1008
NEW_ROWS = itertools.count()

USERS = {"email-alice", "email-bob"}
PUBLIC = {"post-live", "comment-open", "report-open"}
ALICES = {"note-alice", "comment-alice", "post-alice"}
EVERYTHING = set(_MARK.findall(json.dumps(ROWS)))
SEES: Mapping[str, set[str]] = {
    "guest": USERS | PUBLIC,
    "stranger": USERS | PUBLIC,
    "owner": USERS | PUBLIC | ALICES,
    "admin": EVERYTHING,
}
"""The marks of all rows that each may read."""


class Scene(NamedTuple):
    server: Server
    tokens: Mapping[str, str | None]
    files: Mapping[str, str]


def exchange(server: Server, method: str, path: str, token: str | None, body: str = "") -> tuple[int, bytes]:
    """Status and every byte of the answer, its headers included."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body.encode(), headers | {"X-Filename": "report.txt"})
        response = connection.getresponse()
        return response.status, bytes(response.headers) + response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = write_app(tmp_path_factory.mktemp("world"), WORLD)
    env = {"PYLON_ADMIN_TOKEN": ADMIN_TOKEN, "PYLON_ACCESS_LOG": "all"}
    with serving(folder, env=env) as server:
        entities: dict[str, list[object]] = {}
        for entity, row_id, data in ROWS:
            entities.setdefault(entity, []).append({"id": row_id, **data})
        _, report = server.request("POST", "/api/import", {"entities": entities}, token=ADMIN_TOKEN)
        assert report["failed"] == 0, report
        tokens: dict[str, str | None] = {"anonymous": None, "guest": server.guest()[0], "admin": ADMIN_TOKEN}
        for name, user_id in (("stranger", "carl"), ("owner", "alice")):
            tokens[name] = server.request("POST", "/api/auth/session", {"user_id": user_id})[1]["token"]
        files: dict[str, str] = {}
        for query in ("", "?private=1"):
            status, _ = exchange(
                server, "POST", f"/api/files/upload{query}", tokens["owner"], f"{MARK}file{len(files)}x"
            )
            assert status == 201
            _, listed = server.request("GET", "/api/files", token=tokens["owner"])
            files["private" if query else "open"] = listed["data"][-1]["id"]
        yield Scene(server, tokens, files)


def marks_in(text: str) -> set[str]:
    return set(_MARK.findall(text))


def replay(scene: Scene, path: str, name: str) -> str:
    """Everything a fresh socket is sent, up to an event that everybody sees."""
    client = scene.server.socket(scene.tokens[name], target=path)
    title = f"the last {next(NEW_ROWS)}"
    body = {"title": title, "published": True}
    scene.server.request("POST", "/api/entities/Post", body, token=ADMIN_TOKEN)
    text = ""
    for message in client.messages():
        text += json.dumps(message)
        if title in text:
            break
    client.drop()
    return text


@pytest.mark.parametrize("path", sorted(SYNC_PATHS))
@pytest.mark.parametrize("name", SEES)
def test_a_socket_replays_what_its_holder_may_read(scene: Scene, path: str, name: str) -> None:
    text = replay(scene, path, name)

    assert marks_in(text) == SEES[name]
    assert SECRET not in text
    assert str(HIDDEN_NUMBER) not in text


@pytest.mark.parametrize("path", sorted(SYNC_PATHS))
def test_nobody_at_all_gets_no_socket(scene: Scene, path: str) -> None:
    assert scene.server.socket(None, target=path).close_code() == REFUSED


@pytest.mark.parametrize("name", SEES)
def test_a_pull_shows_the_same_as_the_sockets(scene: Scene, name: str) -> None:
    _, answer = exchange(scene.server, "GET", "/api/sync/pull?since=0", scene.tokens[name])

    assert marks_in(answer.decode()) == SEES[name]


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        (
            "GET",
            "/api/files/{open}",
            {"anonymous": 401, "guest": 200, "stranger": 200, "owner": 200, "admin": 200},
        ),
        (
            "HEAD",
            "/api/files/{open}",
            {"anonymous": 401, "guest": 200, "stranger": 200, "owner": 200, "admin": 200},
        ),
        (
            "GET",
            "/api/files/{private}",
            {"anonymous": 401, "guest": 404, "stranger": 404, "owner": 200, "admin": 200},
        ),
        (
            "HEAD",
            "/api/files/{private}",
            {"anonymous": 401, "guest": 404, "stranger": 404, "owner": 200, "admin": 200},
        ),
        ("DELETE", "/api/files/{private}", {"anonymous": 401, "guest": 404, "stranger": 404}),
        ("DELETE", "/api/files/{open}", {"anonymous": 401, "guest": 403, "stranger": 403}),
    ],
)
def test_a_private_file_is_as_good_as_absent(
    scene: Scene, method: str, path: str, statuses: Mapping[str, int]
) -> None:
    for name, status in statuses.items():
        token = scene.tokens[name]

        answered, text = exchange(scene.server, method, path.format(**scene.files), token)

        assert answered == status, name
        if status >= 400:
            assert marks_in(text.decode()) == set()
        if status == 404:
            gone = exchange(scene.server, method, "/api/files/file_0_gone", token)
            assert without_changing_headers(text) == without_changing_headers(gone[1])


def without_changing_headers(text: bytes) -> bytes:
    return re.sub(rb"(?i)(date|x-request-id): [^\\r\\n]*", b"", text)


@pytest.mark.parametrize(
    "path", ["/api/entities/Note", "/api/entities/Note/n-alice", "/api/lookup/Note/slug/slug-bob"]
)
def test_head_tells_no_more_than_get(scene: Scene, path: str) -> None:
    for name, token in scene.tokens.items():
        status, _ = exchange(scene.server, "GET", path, token)
        head_status, head = exchange(scene.server, "HEAD", path, token)

        assert head_status == status, name
        assert marks_in(head.decode()) == set()


def test_neither_rows_nor_secrets_nor_tokens_are_in_the_log(scene: Scene) -> None:
    server = scene.server
    for token in scene.tokens.values():
        exchange(server, "POST", "/api/query/User", token, json.dumps({"passwordHash": f"{SECRET}hash-bob"}))
        exchange(server, "GET", f"/api/lookup/User/passwordHash/{SECRET}hash-bob", token)
        exchange(server, "GET", f"/api/entities/Note?x={SECRET}", token)
        exchange(server, "PATCH", "/api/entities/Note/n-bob", token, json.dumps({"_draft": f"{SECRET}mine"}))
    exchange(server, "GET", "/api/entities/Note/the-end", ADMIN_TOKEN)
    server.await_log("/api/entities/Note/the-end")

    log = server.log_text()

    assert "policy_denied" in log
    for told in (SECRET, MARK, str(HIDDEN_NUMBER), "auth.userId", *filter(None, scene.tokens.values())):
        assert told not in log, told
