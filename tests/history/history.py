"""What happened in one run, as records: who asked for what, what they were told, what each client saw, and when.

Every row carries the *tag* of the operation that wrote it last, and no two operations have the same, so a tag
names a write wherever it turns up: in the log, in a pull, on a screen. Plain data, so that the checker can be
shown histories made by hand. Times are the monotonic clock of the test's own process: an operation is invoked
before its client hears of it, and settled after the client was told.
"""

import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

Row = Mapping[str, Any]
Key = tuple[str, str]
"""Entity, row id."""
Kind = Literal["insert", "update", "delete"]
Outcome = Literal["applied", "failed", "unknown"]


class Record(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at: float


class Invoked(Record, frozen=True, kw_only=True):
    """A client is about to be asked for a write; without a row id it gives the row one."""

    client: str
    life: int
    tag: str
    kind: Kind
    entity: str
    row_id: str | None
    data: dict[str, Any]


class Queued(Record, frozen=True, kw_only=True):
    """The client said that the write is saved: from here on it must not get lost, whatever dies."""

    client: str
    life: int
    tag: str
    op_id: str
    row_id: str


class Settled(Record, frozen=True, kw_only=True):
    """The server told the client what became of a write."""

    client: str
    op_id: str
    tag: str | None
    """As far as the change itself says it: a delete has none."""
    outcome: Outcome
    row_id: str
    deduped: bool = False
    """The server had it already: an answer was lost."""


class Called(Record, frozen=True, kw_only=True):
    """A call of the function that increments a counter; ``at`` is when it was made."""

    answered_at: float
    client: str
    tag: str
    counter: str
    outcome: Outcome
    count: int | None


class Event(msgspec.Struct, frozen=True):
    """A change as the wire carries it."""

    seq: int
    entity: str
    row_id: str
    kind: Kind
    data: dict[str, Any] | None = None

    @property
    def key(self) -> Key:
        return self.entity, self.row_id


class Pulled(Record, frozen=True, kw_only=True):
    client: str
    life: int
    since: int
    last_seq: int
    events: list[Event]


class Heard(Record, frozen=True, kw_only=True):
    client: str
    life: int
    socket: int
    event: Event


class Viewed(Record, frozen=True, kw_only=True):
    """What a client held and showed: the tag of every row it has from the server, and where its own unconfirmed
    writes make the screen differ, what they show instead (``None``: nothing)."""

    client: str
    life: int
    asked_at: float
    cursor: int
    rows: dict[Key, str]
    overlaid: dict[Key, str | None]

    @property
    def shown(self) -> dict[Key, str]:
        shown = {**self.rows, **self.overlaid}
        return {key: tag for key, tag in shown.items() if tag is not None}


ON_A_SOCKET = 0
"""Instead of a status."""


class Refused(Record, frozen=True, kw_only=True):
    """A request as a whole was answered with an error."""

    client: str
    path: str
    status: int
    code: str


class Typed(Record, frozen=True, kw_only=True):
    """Somebody put a mark into the shared text between two others (``None``: the end of it), and the editor said
    that it is saved; ``at`` is before it was asked."""

    client: str
    tag: str
    after: str | None
    before: str | None
    saved_at: float


class Accepted(Record, frozen=True, kw_only=True):
    """The server told an editor that it has these insertions; after a restart the editor may tell of some
    again."""

    client: str
    tags: list[str]


class Read(Record, frozen=True, kw_only=True):
    """What the shared text was at an editor."""

    client: str
    asked_at: float
    text: str


class Gap(Record, frozen=True, kw_only=True):
    """What a server sent of a document builds on something that it did not send."""

    client: str
    life: int
    what: str


class Watched(Record, frozen=True, kw_only=True):
    """What the list of a live query was after a message; of each row its version."""

    client: str
    socket: int
    query: str
    seq: int
    rows: list[tuple[str, str]]
    complete: bool


AnyRecord = (
    Invoked
    | Queued
    | Settled
    | Called
    | Pulled
    | Heard
    | Viewed
    | Refused
    | Typed
    | Accepted
    | Read
    | Gap
    | Watched
)
R = TypeVar("R", bound=Record)


@dataclass
class History:
    """``viewers``: the user that each client is signed in as. Any thread may ``add``; the lock guards the list."""

    viewers: dict[str, str] = field(default_factory=dict)
    records: list[AnyRecord] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, record: AnyRecord) -> None:
        with self._lock:
            self.records.append(record)

    def of(self, kind: type[R]) -> Iterator[R]:
        return (record for record in self.records if isinstance(record, kind))

    def save(self, path: Path) -> None:
        """One record a line, to look into what went wrong."""
        path.write_bytes(b"\n".join(msgspec.json.encode(_plain(record)) for record in self.records))


def now() -> float:
    return time.monotonic()


def tag_of(row: Row) -> str:
    """Which version of the row it is; a counter has its count for that, a page what it says."""
    if "tag" in row:
        return str(row["tag"])
    return f"count={row['count']}" if "count" in row else f"body={zlib.crc32(row['body'].encode()):08x}"


class LogEntry(msgspec.Struct, frozen=True):
    """A line of the server's change log; ``row`` is the whole row after it, ``None`` for a delete."""

    seq: int
    entity: str
    row_id: str
    kind: Kind
    row: dict[str, Any] | None

    @property
    def key(self) -> Key:
        return self.entity, self.row_id


@dataclass
class Replica:
    """A client at the end: its rows from the server, what it shows instead of some, what it has still to send."""

    rows: dict[Key, Row]
    overlaid: dict[Key, str | None]
    pending: int


@dataclass
class FinalState:
    """All that there is when nobody writes any more."""

    log: list[LogEntry]
    rows: dict[Key, Row]
    """As the database has them."""
    pulls: dict[tuple[str, str], dict[Key, Row]]
    """Replica of the server, user: what a fresh pull brings."""
    replicas: dict[str, Replica]
    texts: dict[str, str] = field(default_factory=dict)
    """What the shared text says at each editor, and in the document that each server sends."""
    untold: int = 0
    """How many editors have something that the server has not."""
    lists: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    """Watcher, name of the query: the rows that are shown."""
    answers: dict[tuple[str, str, str], list[Row]] = field(default_factory=dict)
    """Server, user, name of the query: what it answers when it is asked now."""
    tapes: dict[str, list[Event]] = field(default_factory=dict)
    """All that each reader took, in the order in which it did."""


def _plain(record: AnyRecord) -> Any:
    if not isinstance(record, Viewed):
        return record
    plain = {name: getattr(record, name) for name in ("at", "client", "life", "asked_at", "cursor")}
    return {
        "type": "Viewed",
        **plain,
        "rows": {"/".join(key): tag for key, tag in record.rows.items()},
        "overlaid": {"/".join(key): tag for key, tag in record.overlaid.items()},
    }
