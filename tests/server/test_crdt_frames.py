"""Collaborative documents on a real server: what subscribers are sent makes a replica that says what the row
says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loro
import pytest

from tests.server.rig import LiveSocket, Server, notes_app, optional, rules, serving, write_app
from tests.strategies.documents import Document, entity, field
from tests.support.crdt_frames import CrdtFrame, read_crdt_frame
from tests.support.postgres import fresh_database

SNAPSHOT, UPDATE = 0x10, 0x11


def app() -> Document:
    """``notes_app`` with pages that belong to their owners, or to everybody who is signed in."""
    document = notes_app()
    fields = [field("title"), optional("body", "richtext"), optional("ownerId"), optional("rank", "int")]
    document["entities"].append(entity("Page", fields=fields))
    document["policies"].append(
        rules("Page", allow="auth.userId != null && (data.ownerId == null || data.ownerId == auth.userId)")
    )
    return document


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(write_app(tmp_path_factory.mktemp("app"), app())) as running:
        yield running
        assert "Traceback" not in running.log_text()


class Page:
    """A row, and the guest who made it."""

    def __init__(self, server: Server, **values: Any) -> None:
        self._server = server
        self.token, self.user_id = server.guest()
        status, row = server.request("POST", "/api/entities/Page", {"title": "t", **values}, token=self.token)
        assert status == 201, row
        self.row_id = str(row["id"])

    @property
    def url(self) -> str:
        return f"/api/entities/Page/{self.row_id}"

    def patch(self, **values: Any) -> None:
        status, answer = self._server.request("PATCH", self.url, values, token=self.token)
        assert status == 200, answer

    def get(self) -> Any:
        return self._server.request("GET", self.url, token=self.token)[1]

    def post(self, update: bytes) -> None:
        path = f"/api/crdt/Page/{self.row_id}"
        status, answer = self._server.request("POST", path, {"update": update.hex()}, token=self.token)
        assert status == 200, answer

    def subscribe(self, client: LiveSocket) -> None:
        client.say({"type": "crdt-subscribe", "entity": "Page", "rowId": self.row_id})


class Replica:
    """What a client holds of a page."""

    def __init__(self, page: Page, client: LiveSocket) -> None:
        self.page = page
        self.client = client
        self.doc = loro.LoroDoc()  # type: ignore[no-untyped-call]  # the binding does not type its constructor
        page.subscribe(client)
        assert self.take().kind == SNAPSHOT

    def take(self) -> CrdtFrame:
        frame = read_crdt_frame(self.client.next_binary())
        assert (frame.entity, frame.row_id) == ("Page", self.page.row_id)
        self.doc.import_(frame.payload)
        return frame

    @property
    def title(self) -> Any:
        value: Any = self.doc.get_deep_value()
        return value["row"].get("title")

    @property
    def body(self) -> str:
        return self.doc.get_text("body").to_string()

    def type(self, at: int, text: str) -> bytes:
        """Edit the body here; what the edit added."""
        before = self.doc.oplog_vv
        self.doc.get_text("body").insert(at, text)
        self.doc.commit()
        return self.doc.export(loro.ExportMode.Updates(before))


def test_subscribers_follow_the_row_however_it_is_written(server: Server) -> None:
    page = Page(server, body="hello")
    ann, bob = (Replica(page, server.socket(server.guest()[0])) for _ in range(2))
    assert (ann.title, ann.body) == ("t", "hello")

    page.patch(title="new")
    page.post(ann.type(5, " world"))

    assert [replica.take().kind for replica in (ann, ann, bob, bob)] == [UPDATE] * 4
    assert (ann.title, ann.body) == (bob.title, bob.body) == ("new", "hello world")
    assert (page.get()["title"], page.get()["body"]) == ("new", "hello world")


def test_edits_made_at_the_same_time_are_both_there(server: Server) -> None:
    page = Page(server, body="middle")
    ann, bob = (Replica(page, server.socket(server.guest()[0])) for _ in range(2))

    before, after = ann.type(0, "before "), bob.type(6, " after")
    page.post(before)
    page.post(after)
    for replica in (ann, ann, bob, bob):
        replica.take()

    assert ann.body == bob.body == page.get()["body"] == "before middle after"


def test_what_may_not_be_read_is_not_sent_and_never_will_be(server: Server) -> None:
    page = Page(server)
    page.patch(ownerId=page.user_id)
    stranger = server.socket(server.guest()[0])

    page.subscribe(stranger)
    for message in ({"entity": "Page", "rowId": "none"}, {"entity": "Note", "rowId": page.row_id}):
        stranger.say({"type": "crdt-subscribe", **message})
    stranger.await_served()
    owner = Replica(page, server.socket(page.token))
    page.patch(title="secret")
    owner.take()
    stranger.await_served()

    assert stranger.binaries == []


def test_who_loses_sight_of_the_row_is_sent_nothing_until_they_may_see_it_again(server: Server) -> None:
    page = Page(server)
    guest = Replica(page, server.socket(server.guest()[0]))
    owner = Replica(page, server.socket(page.token))

    page.patch(title="last seen")
    guest.take()
    page.patch(ownerId=page.user_id)
    page.patch(title="secret")
    for _ in range(3):
        owner.take()
    guest.client.await_served()

    assert owner.title == "secret"
    assert guest.client.binaries == []

    page.patch(ownerId=None)
    assert (guest.take().kind, guest.title) == (SNAPSHOT, "secret")
    page.post(guest.type(0, "mine"))
    assert (guest.take().kind, guest.body) == (UPDATE, "mine")


def test_a_row_that_is_made_again_sends_its_new_document_and_takes_nothing_of_the_old(server: Server) -> None:
    page = Page(server, body="milk")
    replica = Replica(page, server.socket(page.token))

    assert server.request("DELETE", page.url, token=page.token)[0] == 200
    kinds = (message["kind"] for message in replica.client.messages() if message.get("row_id") == page.row_id)
    assert "delete" in kinds
    assert replica.client.binaries == []
    change = {"entity": "Page", "row_id": page.row_id, "kind": "insert", "data": {"title": "t", "body": "milk"}}
    status, pushed = server.request("POST", "/api/sync/push", {"changes": [change]}, token=page.token)
    assert (status, pushed["applied"]) == (200, 1)

    frame = read_crdt_frame(replica.client.next_binary())
    made_again = loro.LoroDoc()  # type: ignore[no-untyped-call]
    made_again.import_(frame.payload)
    assert (frame.kind, made_again.get_text("body").to_string()) == (SNAPSHOT, "milk")
    old = {"update": replica.doc.export(loro.ExportMode.Snapshot()).hex()}
    status, refusal = server.request("POST", f"/api/crdt/Page/{page.row_id}", old, token=page.token)
    assert (status, refusal["code"]) == (400, "CRDT_DECODE_FAILED")
    assert page.get()["body"] == "milk"


def test_a_client_that_unsubscribes_still_hears_of_the_row(server: Server) -> None:
    page = Page(server)
    replica = Replica(page, server.socket(page.token))

    replica.client.say({"type": "crdt-unsubscribe", "entity": "Page", "row_id": page.row_id})
    replica.client.await_served()
    page.patch(title="quiet")

    assert any(message.get("data", {}).get("title") == "quiet" for message in replica.client.messages())
    replica.client.await_served()
    assert replica.client.binaries == []


def test_a_hundred_documents_are_had_at_once(server: Server) -> None:
    pages = [Page(server) for _ in range(100)]
    client = server.socket(pages[0].token)

    for page in pages:
        page.subscribe(client)

    assert [read_crdt_frame(client.next_binary()).row_id for _ in pages] == [page.row_id for page in pages]


def test_what_is_written_on_one_server_reaches_the_subscribers_of_another(tmp_path: Path) -> None:
    env = {"DATABASE_URL": fresh_database()}
    with (
        serving(write_app(tmp_path / "one", app()), env=env) as one,
        serving(write_app(tmp_path / "two", app()), env=env) as two,
    ):
        page = Page(one, body="hello")
        near, far = Replica(page, one.socket(page.token)), Replica(page, two.socket(page.token))

        page.post(far.type(5, " world"))
        page.patch(title="new")

        assert [replica.take().kind for replica in (near, near, far, far)] == [UPDATE] * 4
        assert (near.title, near.body) == (far.title, far.body) == ("new", "hello world")
