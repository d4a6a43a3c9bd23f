"""The documents of one entity's rows: what becomes of one with each write of its row.

Computes new versions and never stores them: ``SqlTx`` does, between changing the row and logging the change.
Immutable but for the process behind it; any thread may share it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pylon_core.manifest import EntityDef
from pylon_http import DataError, Row
from pylon_storage.codec import EntityCodec
from pylon_storage.crdt.containers import Container, container
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

    def merged(self, old: Row, snapshot: bytes | None, update: bytes) -> Version | None:
        """The row's document with a client's update; ``None`` when that has nothing new.

        Raises DataError CRDT_DECODE_FAILED, CRDT_APPLY_FAILED, PAYLOAD_TOO_LARGE, NOT_AVAILABLE.
        """
        merged = self._quarantine.merge(self.saying(old, snapshot).snapshot, update)
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
