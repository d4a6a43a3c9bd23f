"""What the tests of live queries at the hub share: an app, a store whose reads are seen and held up, clients."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pylon_http import DataStore, Filter, Reader, TxStore
from tests.strategies.documents import app, entity, field
from tests.support.data_api import OWNED, optional, rules
from tests.support.live_queries import WAIT_S, LiveClient, LiveServer

DOCUMENT = app(
    entities=[
        entity(
            "Note",
            fields=[
                optional("ownerId"),
                field("title"),
                optional("rank", "int"),
                optional("_mark"),
            ],
            search={"text": ["title"], "facets": [], "sortable": []},
        ),
        entity("Locked"),
    ],
    policies=[rules("Note", allow=OWNED), rules("Locked", allow="false")],
)

ServerMaker = Callable[..., LiveServer]


class WatchedReader:
    def __init__(self, reader: Reader, questions: list[Filter]) -> None:
        self._reader = reader
        self._questions = questions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def query(self, entity_name: str, wanted: Filter) -> Any:
        self._questions.append(wanted)
        return self._reader.query(entity_name, wanted)


class WatchedStore:
    """The store; who reads what is noted, and a read can be held up at its end, or fail."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self.readers: list[str] = []
        self.questions: list[Filter] = []
        self.error: Exception | None = None
        self.has_read = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def read(self) -> Iterator[WatchedReader]:
        self.readers.append(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        with self._store.read() as reader:
            yield WatchedReader(reader, self.questions)
        self.has_read.release()
        assert self.may_end.wait(WAIT_S)


def watched(server: LiveServer) -> WatchedStore:
    store = server.api.ctx.store
    assert isinstance(store, WatchedStore)
    return store


def add(server: LiveServer, row_id: str, **data: Any) -> None:
    server.api.add("Note", row_id, **{"ownerId": "alice", "title": row_id, **data})


def subscribed(server: LiveServer, name: str = "alice", **query: Any) -> LiveClient:
    """A client with the live query ``q``, and nothing else told so far."""
    client = server.connect(name)
    client.subscribe("q", "Note", **query)
    server.settle()
    assert "q" in client.lists, client.errors
    client.take_told()
    return client


def connected(server: LiveServer) -> LiveClient:
    """A client that has asked for nothing and taken the replay of the change feed."""
    client = server.connect("alice")
    server.settle()
    client.take_told()
    return client


def delete(row_id: str, tx: TxStore) -> None:
    tx.delete("Note", row_id)


def titles(client: LiveClient, query_id: str = "q") -> list[str]:
    return [row["title"] for row in client.rows(query_id)]


def types(client: LiveClient) -> list[str]:
    return [message["type"] for message in client.take_told()]
