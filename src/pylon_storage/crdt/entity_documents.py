"""The documents of one entity's rows: what becomes of one with each write of its row.

Computes new versions and never stores them: ``SqlTx`` does, between changing the row and logging the change.
Immutable but for the process behind it; any thread may share it.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pylon_core.manifest import EntityDef
from pylon_http import DataError, Row
from pylon_storage.codec import EntityCodec
from pylon_storage.crdt.containers import Container, container
from pylon_storage.crdt.limits import HURRIED_SECONDS
from pylon_storage.crdt.peers import ServerPeers, new_peers
from pylon_storage.crdt.quarantine import Quarantine
from pylon_storage.crdt.snapshots import row_with_snapshot

if TYPE_CHECKING:
    from pylon_storage.crdt.row_document import RowDocument


class Version(NamedTuple):
    """A document after a write; ``delta`` is what it has more than before, ``row`` what it says."""

    snapshot: bytes
    delta: bytes | None
    row: Row


class EntityDocuments:
    def __init__(
        self,
        entity: EntityDef,
        secret: frozenset[str],
        codec: EntityCodec,
        peers: ServerPeers,
        quarantine: Quarantine,
    ) -> None:
        self.get_sql = row_with_snapshot(entity.name, codec.columns)
        self._containers: list[Container] = [
            container(field.name, field.crdt_kind) for field in entity.fields if field.name not in secret
        ]
        self._codec = codec
        self._peers = peers
        self._quarantine = quarantine

    def saying(self, row: Row, snapshot: bytes | None) -> Version:
        """The document of ``snapshot``, or a new one, made to say what the row says."""
        document = self._open(snapshot)
        document.write(row)
        return Version(document.snapshot(), document.delta(snapshot), row)

    def merged(
        self, old: Row, snapshot: bytes | None, update: bytes, within_s: float = math.inf
    ) -> Version | None:
        """The row's document with a client's update; ``None`` when that has nothing new.

        ``within_s`` as for ``Quarantine.merge``. Raises DataError CRDT_DECODE_FAILED, CRDT_APPLY_FAILED,
        PAYLOAD_TOO_LARGE, NOT_AVAILABLE.
        """
        merged = self._quarantine.merge(self.saying(old, snapshot).snapshot, update, within_s)
        if merged is None:
            return None
        document = self._open(merged)
        document.adopt()
        return Version(document.snapshot(), document.delta(snapshot), document.row(old))

    def _open(self, snapshot: bytes | None) -> "RowDocument":
        try:
            from pylon_storage.crdt.row_document import RowDocument
        except ImportError as missing:
            raise DataError(
                "NOT_AVAILABLE",
                "Collaborative documents need Loro, which is not installed.",
                hint="pip install 'pylonsync[crdt]'",
            ) from missing
        return RowDocument(self._containers, self._codec, self._peers, snapshot)


def supported(documents: EntityDocuments | None, entity: str) -> EntityDocuments:
    if documents is None:
        raise DataError(
            "NOT_SUPPORTED",
            f"Rows of {entity} have no collaborative documents.",
            hint="They do in entities that do not say crdt: false, on SQLite and on Postgres.",
        )
    return documents


class Rehearsal:
    """A merge into a row and its document as they were in some state, worked out outside any transaction: what
    takes long keeps nobody waiting, and is not done again in the transaction that finds them as they were.

    Used by one thread at a time.
    """

    def __init__(
        self,
        documents: EntityDocuments | None,
        entity: str,
        existing: Row,
        snapshot: bytes | None,
        update: bytes,
    ) -> None:
        self.existing = existing
        self._documents = documents
        self._entity = entity
        self._snapshot = snapshot
        self._update = update
        self._version: Version | None = None
        self._is_done = False

    def row(self) -> Row:
        documents = supported(self._documents, self._entity)
        self._version = documents.merged(self.existing, self._snapshot, self._update)
        self._is_done = True
        return self.existing if self._version is None else self._version.row

    def version(self, old: Row, snapshot: bytes | None) -> Version | None:
        """As ``EntityDocuments.merged``, on the row and its document as they are now."""
        if self._is_done and old == self.existing and snapshot == self._snapshot:
            return self._version
        documents = supported(self._documents, self._entity)
        return documents.merged(old, snapshot, self._update, HURRIED_SECONDS)


@dataclass(frozen=True)
class DocumentKeeping:
    """What the documents of all entities of a store share."""

    peers: ServerPeers
    quarantine: Quarantine

    def of(self, entity: EntityDef, secret: frozenset[str], codec: EntityCodec) -> EntityDocuments | None:
        """``None`` for an entity that has no documents."""
        if not entity.crdt:
            return None
        return EntityDocuments(entity, secret, codec, self.peers, self.quarantine)


def new_keeping() -> DocumentKeeping:
    return DocumentKeeping(new_peers(), Quarantine())
