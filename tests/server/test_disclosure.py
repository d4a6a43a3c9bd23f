"""What one user may not see reaches them by no way out of the server: hidden rows and secret fields.

Each way out is a function from a server and a token to everything it sends, as text; the tests look for what
must not be in there. A way that shows nothing at all would prove nothing, so each must also show what it may.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, notes_app, optional, serving, write_app
from tests.support.waiting import until

WayOut = Callable[[Server, str], str]


def get(path: str) -> WayOut:
    return lambda server, token: text_of(server.request("GET", path, token=token))


def post(path: str, body: Any) -> WayOut:
    return lambda server, token: text_of(server.request("POST", path, body, token=token))


def text_of(answer: tuple[int, Any]) -> str:
    status, body = answer
    assert status < 500
    return json.dumps(body)


def pull(entity: str) -> WayOut:
    def everything(server: Server, token: str) -> str:
        pages, since, has_more = "", 0, True
        while has_more:
            _, page = server.request("GET", f"/api/sync/pull?since={since}", token=token)
            pages += json.dumps(page)
            since, has_more = page["cursor"]["last_seq"], page["has_more"]
        return pages

    return everything


def listen(entity: str) -> WayOut:
    """The replay of a fresh socket, up to an event of the listener's own that comes after all of it."""

    def everything(server: Server, token: str) -> str:
        client = server.socket(token)
        _, last = server.request("POST", "/api/entities/Post", {"title": "the last"}, token=token)
        frames = []
        for message in client.messages():
            frames.append(json.dumps(message))
            if message.get("row_id") == last["id"]:
                break
        client.drop()
        return "".join(frames)

    return everything


def pages(entity: str) -> WayOut:
    def everything(server: Server, token: str) -> str:
        text, after, has_more = "", "", True
        while has_more:
            _, page = server.request("GET", f"/api/entities/{entity}/cursor?limit=2&after={after}", token=token)
            text += json.dumps(page)
            after, has_more = page.get("next_cursor"), page.get("has_more")
        return text

    return everything


def ways_out_of(entity: str) -> dict[str, WayOut]:
    return {
        "list": get(f"/api/entities/{entity}"),
        "list, old spelling": get(f"/api/entity/{entity}"),
        "window": get(f"/api/entities/{entity}?limit=1000&offset=0"),
        "pages": pages(entity),
        "query": post(f"/api/query/{entity}", {}),
        "query sorted": post(f"/api/query/{entity}", {"$order": {"id": "desc"}, "$limit": 1000}),
        "pull": pull(entity),
        "socket": listen(entity),
    }


class Scene(NamedTuple):
    server: Server
    ann: str
    bob: str
    hidden_id: str
    user_id: str


SECRETS = ("hash-of-ann", "internal-of-ann", "phone-of-ann")


def application() -> dict[str, Any]:
    """The notes app with rows that are seen only under conditions of every kind."""
    document = notes_app()
    document["entities"][0]["fields"] += [optional("hiddenFrom"), optional("_score", "int")]
    return document


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Rows of Ann's and Bob's, some of which changed hands, with secrets in them."""
    folder = write_app(tmp_path_factory.mktemp("app"), application())
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as server:
        (ann, ann_id), (bob, bob_id) = server.guest(), server.guest()

        def add(token: str, entity: str, **data: Any) -> str:
            status, row = server.request("POST", f"/api/entities/{entity}", data, token=token)
            assert status == 201, row
            return str(row["id"])

        hidden = add(ann, "Note", title="hidden from bob", ownerId=ann_id)
        for number in range(5):
            add(ann, "Note", title=f"hidden from bob {number}", ownerId=ann_id)
            add(bob, "Note", title=f"seen by bob {number}", ownerId=bob_id)
        taken = add(bob, "Note", title="given away", ownerId=bob_id)
        change = {"title": "hidden from bob since", "ownerId": ann_id}
        assert server.request("PATCH", f"/api/entities/Note/{taken}", change, token=ADMIN_TOKEN)[0] == 200
        user = add(
            ADMIN_TOKEN,
            "User",
            email="ann@example.com",
            passwordHash="hash-of-ann",
            _internal="internal-of-ann",
            phone="phone-of-ann",
        )
        yield Scene(server, ann, bob, hidden, user)


@pytest.mark.parametrize("way", ways_out_of("Note").values(), ids=list(ways_out_of("Note")))
def test_a_hidden_row_leaves_by_no_way(scene: Scene, way: WayOut) -> None:
    for_bob, for_ann = way(scene.server, scene.bob), way(scene.server, scene.ann)

    assert "hidden from bob" not in for_bob
    assert scene.hidden_id not in for_bob
    assert "seen by bob" in for_bob
    assert "hidden from bob" in for_ann
    assert "seen by bob" not in for_ann


@pytest.mark.parametrize("way", ways_out_of("User").values(), ids=list(ways_out_of("User")))
def test_a_secret_field_leaves_by_no_way(scene: Scene, way: WayOut) -> None:
    shown = way(scene.server, scene.bob)

    assert "ann@example.com" in shown
    for secret in (*SECRETS, "passwordHash", "_internal"):
        assert secret not in shown


@pytest.mark.parametrize("way", ["list", "query", "pull", "socket"])
def test_not_even_the_admin_is_sent_a_secret_field(scene: Scene, way: str) -> None:
    shown = ways_out_of("User")[way](scene.server, ADMIN_TOKEN)

    for secret in SECRETS:
        assert secret not in shown


def test_nobody_at_all_sees_nothing_at_all(scene: Scene) -> None:
    for path in ("/api/entities/Note", "/api/entities/Note/cursor", f"/api/entities/Note/{scene.hidden_id}"):
        assert scene.server.request("GET", path)[0] == 403
    assert scene.server.request("GET", "/api/sync/pull")[1]["changes"] == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_hidden_row_looks_like_one_that_is_not_there(scene: Scene, method: str) -> None:
    answers = [
        scene.server.request(method, f"/api/entities/Note/{row_id}", {"title": "x"}, token=scene.bob)
        for row_id in (scene.hidden_id, "0" * 40)
    ]

    assert answers[0] == answers[1]
    assert answers[0][0] == 403


ORACLES = [
    {"passwordHash": "hash-of-ann"},
    {"passwordHash": {"$like": "h%"}},
    {"_internal": {"$not": None}},
    {"phone": {"$gt": "a"}},
    {"$order": {"passwordHash": "asc"}},
]


@pytest.mark.parametrize("document", ORACLES, ids=str)
def test_no_filter_or_sort_tells_of_a_secret_field(scene: Scene, document: dict[str, Any]) -> None:
    status, answer = scene.server.request("POST", "/api/query/User", document, token=scene.bob)

    assert (status, answer["code"]) == (400, "INVALID_COLUMN")


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/api/entities/User", {"email": "x@example.com", "_internal": "y"}),
    ("PATCH", "/api/entities/User/{user}", {"passwordHash": "mine"}),
    ("PATCH", "/api/entities/User/{user}", {"phone": "mine"}),
    (
        "POST",
        "/api/sync/push",
        {"changes": [{"entity": "User", "row_id": "{user}", "kind": "update", "data": {"passwordHash": "mine"}}]},
    ),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_nobody_else_writes_a_secret_field(scene: Scene, method: str, path: str, body: Any) -> None:
    text = json.dumps(body).replace("{user}", scene.user_id)
    _, before = scene.server.request("GET", f"/api/entities/User/{scene.user_id}", token=ADMIN_TOKEN)

    status, answer = scene.server.request(
        method, path.format(user=scene.user_id), json.loads(text), token=scene.bob
    )

    assert status == 400 or answer["applied"] == 0
    assert "hash-of-ann" not in json.dumps(answer)
    assert scene.server.request("GET", f"/api/entities/User/{scene.user_id}", token=ADMIN_TOKEN)[1] == before


def test_what_a_write_answers_and_announces_has_no_secrets(scene: Scene) -> None:
    client = scene.server.socket(scene.bob)

    path = f"/api/entities/User/{scene.user_id}"
    _, answer = scene.server.request("PATCH", path, {"email": "ann2@example.com"}, token=scene.ann)

    frame = next(message for message in client.messages() if "ann2@example.com" in json.dumps(message))
    for shown in (json.dumps(answer), json.dumps(frame)):
        assert "ann2@example.com" in shown
        for secret in SECRETS:
            assert secret not in shown
    scene.server.request("PATCH", path, {"email": "ann@example.com"}, token=scene.ann)


def test_a_row_that_changes_hands_is_deleted_for_who_lost_it_and_whole_for_who_got_it(scene: Scene) -> None:
    server = scene.server
    (loser, loser_id), (winner, winner_id) = server.guest(), server.guest()
    _, row = server.request("POST", "/api/entities/Note", {"title": "gift", "ownerId": loser_id}, token=loser)
    lost, won = server.socket(loser), server.socket(winner)

    change = {"title": "secret now", "ownerId": winner_id}
    server.request("PATCH", f"/api/entities/Note/{row['id']}", change, token=ADMIN_TOKEN)

    deleted = next(m for m in lost.messages() if m.get("row_id") == row["id"] and m["kind"] == "delete")
    assert "data" not in deleted
    gained = next(m for m in won.messages() if m.get("row_id") == row["id"])
    assert gained["data"]["title"] == "secret now"


def test_no_secret_is_in_the_log(scene: Scene) -> None:
    server = scene.server
    server.request("POST", "/api/query/User", {"passwordHash": "hash-of-ann"}, token=scene.bob)
    server.request("GET", "/api/nope?token=in-the-query", token=scene.bob)
    until(lambda: bool(server.log_text()), "any log at all")

    log = server.log_text()

    for secret in (*SECRETS, ADMIN_TOKEN, scene.ann, scene.bob, "in-the-query"):
        assert secret not in log


def test_no_secret_is_on_disk_in_the_clear(scene: Scene) -> None:
    files = [path for path in Path(scene.server.app, ".pylon").iterdir() if path.is_file()]

    for token in (scene.ann, scene.bob, ADMIN_TOKEN):
        assert not [path.name for path in files if token.encode() in path.read_bytes()]
