"""Rows with collaborative documents, and clients that edit them."""

from typing import Any

import loro

from pylon_core import jsontext
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import DataStore, Row
from tests.strategies.documents import app, entity, field

MANIFEST_DOCUMENT = app(
    entities=[
        entity(
            "Note",
            fields=[
                field("title"),
                field("slug", optional=True, unique=True),
                field("rank", "int", optional=True),
                field("score", "float", optional=True),
                field("done", "bool", optional=True),
                field("due", "datetime", optional=True),
                field("body", "richtext", optional=True),
                field("likes", "int", optional=True, crdt="counter"),
                field("tags", optional=True, crdt="list"),
                field("steps", "int", optional=True, crdt="movable-list"),
                field("outline", optional=True, crdt="tree"),
                field("_secret", optional=True),
            ],
        ),
        entity("Plain", fields=[field("title")], crdt=False),
    ]
)


def manifest() -> AppManifest:
    return parse_manifest(jsontext.encode(MANIFEST_DOCUMENT))


class Replica:
    """A client's copy of one row's document."""

    def __init__(self, store: DataStore, row_id: str, entity_name: str = "Note", peer: int | None = None) -> None:
        self.store = store
        self.entity = entity_name
        self.row_id = row_id
        self.doc = loro.LoroDoc()  # type: ignore[no-untyped-call]  # its stub says nothing of it
        if peer is not None:
            self.doc.peer_id = peer
        snapshot = store.transact(lambda tx: tx.open_document(entity_name, row_id))
        assert snapshot is not None
        self.doc.import_(snapshot)
        self._sent = self.doc.oplog_vv

    def edits(self) -> bytes:
        """What was done here since the last call."""
        self.doc.commit()
        update = self.doc.export(loro.ExportMode.Updates(self._sent))
        self._sent = self.doc.oplog_vv
        return update

    def post(self) -> Row | None:
        return merge(self.store, self.row_id, self.edits(), self.entity)

    def receive(self, since: int = 0) -> None:
        """What the log has for this row."""
        for event in self.store.changes(since, 10_000).events:
            if event.row_id == self.row_id and event.delta is not None:
                assert self.doc.import_(event.delta).pending is None
        self._sent = self.doc.oplog_vv

    def value(self) -> Any:
        return said_by(self.doc)


def merge(store: DataStore, row_id: str, update: bytes, entity_name: str = "Note") -> Row | None:
    return store.transact(lambda tx: tx.merge(entity_name, row_id, update))


def insert(store: DataStore, **data: Any) -> str:
    return str(store.transact(lambda tx: tx.insert("Note", {"title": "t", **data}))["id"])


def stored(store: DataStore, row_id: str) -> bytes | None:
    with store.read() as reader:
        return reader.document("Note", row_id)


def stored_value(store: DataStore, row_id: str) -> Any:
    """What the stored document says, as a new client reads it."""
    snapshot = stored(store, row_id)
    assert snapshot is not None
    doc = loro.LoroDoc()  # type: ignore[no-untyped-call]
    doc.import_(snapshot)
    return said_by(doc)


def said_by(doc: loro.LoroDoc) -> dict[str, Any]:
    """Whether or not anybody has touched an empty container; without the name of the document."""
    empty = {"row": {}, "body": "", "likes": 0.0, "tags": [], "steps": [], "outline": []}
    said = doc.get_deep_value()
    assert isinstance(said, dict)
    said.pop("_pylon", None)
    return empty | said
