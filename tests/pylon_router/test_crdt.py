"""``POST /api/crdt/<entity>/<row_id>``: what is refused, in which order; what is judged; that all writes maintain
the document."""

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import loro
import pytest

from pylon_auth import AuthContext
from tests.strategies.documents import app, entity, field
from tests.support.data_api import OWNED, DataApi, optional, rules
from tests.support.documents import Replica, stored_value
from tests.support.engines import ENGINES
from tests.support.quarantines import quarantine_pids, wedged

DOCUMENT = app(
    entities=[
        entity(
            "Note",
            fields=[field("title"), optional("ownerId"), optional("body", "richtext"), optional("passwordHash")],
        ),
        entity("Frozen", fields=[field("title"), optional("body", "richtext")]),
        entity("Teams", fields=[field("title"), field("tenantId")]),
        entity("Plain", fields=[field("title")], crdt=False),
    ],
    policies=[
        rules("Note", allow=OWNED),
        rules("Frozen", allowRead="true", allowUpdate="input.title == null && data.title != 'closed'"),
        rules("Teams", allow="true"),
        rules("Plain", allow="auth.userId == 'alice'"),
    ],
)


@pytest.fixture(params=ENGINES)
def api(request: pytest.FixtureRequest) -> Iterator[DataApi]:
    opened = DataApi(DOCUMENT, engine=request.param)
    yield opened
    opened.store.close()


def edits(api: DataApi, row_id: str, entity_name: str = "Note", **row: Any) -> str:
    client = Replica(api.store, row_id, entity_name)
    for name, value in row.items():
        client.doc.get_map("row").insert(name, value)
    return client.edits().hex()


def test_an_edit_of_ones_own_row_is_taken_in(api: DataApi) -> None:
    api.add("Note", "n 1/ü", title="a", ownerId="alice")
    update = edits(api, "n 1/ü", title="b")

    for text in (update, update.upper()):
        answer = api.send("POST", f"/api/crdt/Note/{quote('n 1/ü', safe='')}?x=1", body={"update": text})
        assert (answer.status, answer.json) == (200, {"ok": True})

    assert api.send("GET", f"/api/entities/Note/{quote('n 1/ü', safe='')}").json["title"] == "b"


REFUSALS: list[tuple[str, str, str, Any, int, str]] = [
    ("alice", "GET", "/api/crdt/Note/n1", None, 404, "NOT_FOUND"),
    ("anonymous", "PUT", "/api/crdt/Note/n1", None, 404, "NOT_FOUND"),
    ("anonymous", "POST", "/api/crdt/Note/n1", b"no json", 401, "AUTH_REQUIRED"),
    ("anonymous", "POST", "/api/crdt/Note", b"", 401, "AUTH_REQUIRED"),
    ("alice", "POST", "/api/crdt/Note", b"no json", 400, "BAD_PATH"),
    ("alice", "POST", "/api/crdt/Note/", b"no json", 400, "BAD_PATH"),
    ("alice", "POST", "/api/crdt//n1", b"no json", 400, "BAD_PATH"),
    ("alice", "POST", "/api/crdt/Note/n2", b"no json", 400, "INVALID_JSON"),
    ("alice", "POST", "/api/crdt/Note/n2", [], 400, "MISSING_UPDATE"),
    ("alice", "POST", "/api/crdt/Note/n2", {"update": 5}, 400, "MISSING_UPDATE"),
    ("alice", "POST", "/api/crdt/Note/n2", {"update": "abc"}, 400, "INVALID_HEX"),
    ("alice", "POST", "/api/crdt/Note/n2", {"update": "zz"}, 400, "INVALID_HEX"),
    ("alice", "POST", "/api/crdt/Note/n2", {"update": "00 0"}, 400, "INVALID_HEX"),
    ("alice", "POST", "/api/crdt/Note/n2", {"update": "٣٣"}, 400, "INVALID_HEX"),
    ("alice", "POST", "/api/crdt/Note/n2", {"update": "00"}, 403, "POLICY_DENIED"),
    ("guest", "POST", "/api/crdt/Note/n1", {"update": "00"}, 403, "POLICY_DENIED"),
    ("alice", "POST", "/api/crdt/Note/gone", {"update": "00"}, 403, "POLICY_DENIED"),
    ("admin", "POST", "/api/crdt/Note/gone", {"update": "00"}, 404, "NOT_FOUND"),
    ("alice", "POST", "/api/crdt/Nope/n1", {"update": "00"}, 404, "ENTITY_NOT_FOUND"),
    ("bob", "POST", "/api/crdt/Plain/p1", {"update": "00"}, 403, "POLICY_DENIED"),
    ("alice", "POST", "/api/crdt/Plain/p1", {"update": "00"}, 400, "NOT_SUPPORTED"),
    ("alice", "POST", "/api/crdt/Note/n1", {"update": "00"}, 400, "CRDT_DECODE_FAILED"),
    ("alice", "POST", "/api/crdt/Note/n1", {"update": ""}, 400, "CRDT_DECODE_FAILED"),
    ("alice", "POST", "/api/crdt/Note/n1", {"update": "00" * (4 * 2**20 + 1)}, 413, "PAYLOAD_TOO_LARGE"),
]


@pytest.mark.parametrize(
    ("who", "method", "url", "body", "status", "code"),
    REFUSALS,
    ids=[f"{case[0]} {case[1]} {case[2]} {str(case[3])[:20]}" for case in REFUSALS],
)
def test_what_is_refused(api: DataApi, who: str, method: str, url: str, body: Any, status: int, code: str) -> None:
    api.add("Note", "n1", title="a", ownerId="alice")
    api.add("Note", "n2", title="a", ownerId="bob")
    api.add("Plain", "p1", title="a")
    head = api.store.head()

    answer = api.send(method, url, who, body=body)

    assert (answer.status, answer.code) == (status, code)
    assert api.store.head() == head
    with api.store.read() as reader:
        assert [reader.document("Note", row) for row in ("n1", "n2", "gone")] == [None] * 3


def test_nobody_gives_away_what_is_theirs_or_takes_what_is_not(api: DataApi) -> None:
    api.add("Note", "n1", title="a", ownerId="alice")
    api.add("Note", "n2", title="a", ownerId="bob")

    given = api.send("POST", "/api/crdt/Note/n1", body={"update": edits(api, "n1", ownerId="bob")})
    taken = api.send("POST", "/api/crdt/Note/n2", body={"update": edits(api, "n2", ownerId="alice")})

    assert (given.status, taken.status) == (403, 403)
    assert [api.store.get("Note", row)["ownerId"] for row in ("n1", "n2")] == ["alice", "bob"]  # type: ignore[index]
    assert stored_value(api.store, "n1")["row"]["ownerId"] == "alice"


def test_who_kept_the_document_of_a_row_that_was_made_again_is_refused(api: DataApi) -> None:
    api.add("Note", "n1", title="a", ownerId="alice", body="milk")
    old = Replica(api.store, "n1")
    old.doc.get_text("body").insert(0, "old ")
    assert api.send("DELETE", "/api/entities/Note/n1").status == 200
    api.add("Note", "n1", title="a", ownerId="alice", body="milk")

    whole = old.doc.export(loro.ExportMode.Snapshot()).hex()
    for update in (old.edits().hex(), whole):
        answer = api.send("POST", "/api/crdt/Note/n1", body={"update": update})
        assert (answer.status, answer.json["code"]) == (400, "CRDT_DECODE_FAILED")

    assert api.send("GET", "/api/entities/Note/n1").json["body"] == "milk"


def test_the_policy_judges_what_changes(api: DataApi) -> None:
    api.add("Frozen", "f1", title="a")
    client = Replica(api.store, "f1", "Frozen")
    client.doc.get_text("body").insert(0, "x")
    body = client.edits().hex()

    assert api.send("POST", "/api/crdt/Frozen/f1", "guest", body={"update": body}).status == 200
    retitle = edits(api, "f1", "Frozen", title="b")
    assert api.send("POST", "/api/crdt/Frozen/f1", "guest", body={"update": retitle}).status == 403


def test_a_row_stays_in_its_tenant(api: DataApi) -> None:
    api.add("Teams", "t1", title="a", tenantId="acme")
    retitle = {"update": edits(api, "t1", "Teams", title="b")}
    ed = AuthContext("ed", tenant_id="acme")

    assert api.send("POST", "/api/crdt/Teams/t1", "alice", body=retitle).status == 403
    move = {"update": edits(api, "t1", "Teams", tenantId="zeta")}
    assert api.send("POST", "/api/crdt/Teams/t1", auth=ed, body=move).status == 403
    assert api.send("POST", "/api/crdt/Teams/t1", auth=ed, body=retitle).status == 200


def test_a_client_cannot_reach_a_secret(api: DataApi) -> None:
    api.add("Note", "n1", title="a", ownerId="alice", passwordHash="secret")
    update = edits(api, "n1", passwordHash="mine", title="b")

    assert api.send("POST", "/api/crdt/Note/n1", body={"update": update}).status == 200

    row = api.store.get("Note", "n1")
    assert row is not None
    assert (row["title"], row["passwordHash"]) == ("b", "secret")
    assert "secret" not in str(stored_value(api.store, "n1"))


def test_every_way_to_write_maintains_the_document(api: DataApi) -> None:
    api.add("Note", "n1", title="a", ownerId="alice")
    client = Replica(api.store, "n1")
    since = api.store.head()

    def write(number: int, method: str, url: str, who: str, body: Any) -> None:
        assert api.send(method, url, who, body=body).status == 200
        client.receive(since)
        assert client.value()["row"]["title"] == f"v{number}"

    change = {"entity": "Note", "row_id": "n1", "kind": "update", "data": {"title": "v2"}}
    update = {"op": "update", "entity": "Note", "id": "n1"}
    write(1, "PATCH", "/api/entities/Note/n1", "alice", {"title": "v1"})
    write(2, "POST", "/api/sync/push", "alice", {"changes": [change]})
    write(3, "POST", "/api/transact", "admin", [{**update, "data": {"title": "v3"}}])
    write(4, "POST", "/api/batch", "admin", {"operations": [{**update, "data": {"title": "v4"}}]})

    assert api.send("DELETE", "/api/entities/Note/n1").status == 200
    imported = {"entities": {"Note": [{"id": "n1", "title": "v5", "ownerId": "alice"}]}}
    assert api.send("POST", "/api/import", "admin", body=imported).status == 200
    with api.store.read() as reader:
        assert reader.document("Note", "n1") is None
    assert Replica(api.store, "n1").value()["row"]["title"] == "v5"


def test_a_merge_that_takes_long_keeps_no_other_write_waiting(api: DataApi) -> None:
    api.add("Note", "n1", title="a", ownerId="alice")
    before = set(quarantine_pids())
    assert api.send("POST", "/api/crdt/Note/n1", body={"update": edits(api, "n1", title="b")}).status == 200
    (pid,) = set(quarantine_pids()) - before
    update = edits(api, "n1", title="c")
    statuses: list[int] = []

    def merge() -> None:
        statuses.append(api.send("POST", "/api/crdt/Note/n1", body={"update": update}).status)

    with wedged(pid):
        merging = threading.Thread(target=merge)
        merging.start()
        written = api.send("POST", "/api/entities/Note", body={"title": "another", "ownerId": "alice"})
        was_merging = merging.is_alive()
        merging.join(20)

    assert written.status in (200, 201)
    assert was_merging
    assert statuses == [503]


def test_what_may_not_be_merged_is_not_tried_in_a_transaction(
    api: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.add("Note", "n2", title="a", ownerId="bob")
    update = edits(api, "n2", title="b")

    def never(*_: object) -> None:
        raise AssertionError("it was")

    for way in ("transact", "submit"):
        monkeypatch.setattr(api.store, way, never)

    assert api.send("POST", "/api/crdt/Note/n2", body={"update": update}).status == 403
