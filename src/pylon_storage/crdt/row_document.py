"""One row's document while it is open: Loro's, read and written field by field. One thread uses an instance.

Opening is cheap: measured on documents of 100 kB, snapshot to snapshot with an edit between them takes a
millisecond or two. So none is kept open from one transaction to the next, and there is nothing to undo when one
is rolled back.

A document has a name, which only servers write. A row that is made again has another one, and so has a row whose
document is made anew: then the edits of the old one can be told, which must not be merged, or every text would be
there twice.

The first edit of a text that came out of a snapshot takes Loro a time quadratic in its pieces: a second for one
of a million keystrokes, with the interpreter lock held. Played from its history it takes a twentieth of that.
"""

from collections.abc import Sequence
from typing import Any

import loro

from pylon_http import DataError, Row
from pylon_storage.codec import EntityCodec
from pylon_storage.crdt.containers import ROW, Container, Text
from pylon_storage.crdt.limits import DOCUMENT_BYTES_MAX, too_large
from pylon_storage.crdt.peers import ServerPeers

NAMES = "_pylon"
"""The root map with the document's name. No field has a container of this name: it would be a secret one."""
NAME = "document"


class RowDocument:
    """``snapshot`` is one that this server or a quarantine has made; ``None`` begins an empty document."""

    def __init__(
        self, containers: Sequence[Container], codec: EntityCodec, peers: ServerPeers, snapshot: bytes | None
    ) -> None:
        self._containers = containers
        self._codec = codec
        self._doc = loro.LoroDoc()  # type: ignore[no-untyped-call]  # its stub says nothing of it
        self._empty = self._doc.oplog_vv
        if snapshot is not None:
            self._doc.import_(snapshot)
        self._doc.peer_id = peers.choose(self._doc.oplog_vv.to_spans().inner())

    def write(self, row: Row) -> None:
        """Make it say what the row says; what it says already is not touched."""
        names = self._doc.get_map(NAMES)
        if names.get(NAME) is None:
            names.insert(NAME, f"{self._doc.peer_id:016x}")
        for container in self._containers:
            container.adopt(self._doc)
        plain = self._plain()
        others = [
            container
            for container in self._containers
            if self._read(container, plain, row[container.field]) != [row[container.field]]
        ]
        if any(isinstance(container, Text) for container in others):
            self._play()
        for container in others:
            container.write(self._doc, row[container.field])
        self._doc.commit()

    def _play(self) -> None:
        history, peer = self._doc.export(loro.ExportMode.Updates(self._empty)), self._doc.peer_id
        self._doc = loro.LoroDoc()  # type: ignore[no-untyped-call]
        self._doc.import_(history)
        self._doc.peer_id = peer

    def adopt(self) -> None:
        for container in self._containers:
            container.adopt(self._doc)
        self._doc.commit()

    def row(self, old: Row) -> Row:
        """The row that it says, where ``old`` was stored; what is in no document is as it was.

        Raises CRDT_APPLY_FAILED when a row cannot hold a value of it.
        """
        plain = self._plain()
        row = old.copy()
        for container in self._containers:
            field = container.field
            value = container.read(self._doc, plain)
            is_still_null = old[field] is None and container.empty is not None and value == container.empty
            row[field] = None if is_still_null else self._codec.accepted(field, value)
        return row

    def snapshot(self) -> bytes:
        """Raises PAYLOAD_TOO_LARGE."""
        if len(self._doc.export(loro.ExportMode.Updates(self._empty))) > DOCUMENT_BYTES_MAX:
            raise too_large()
        return self._doc.export(loro.ExportMode.Snapshot())

    def delta(self, since: bytes | None) -> bytes | None:
        """What it has beyond the document of another snapshot; ``None`` when that is nothing."""
        before = self._empty if since is None else _version(since)
        if self._doc.oplog_vv == before:
            return None
        return self._doc.export(loro.ExportMode.Updates(before))

    def _plain(self) -> dict[str, Any]:
        found = self._doc.get_map(ROW).get_value()
        assert isinstance(found, dict)
        return found

    def _read(self, container: Container, plain: dict[str, Any], wanted: Any) -> list[Any]:
        """As a row holds it, in a list; an empty list when no row does."""
        value = container.read(self._doc, plain)
        if wanted is None and container.empty is not None and value == container.empty:
            return [None]
        try:
            return [self._codec.accepted(container.field, value)]
        except DataError:
            return []


def _version(snapshot: bytes) -> loro.VersionVector:
    return loro.LoroDoc.decode_import_blob_meta(snapshot, check_checksum=False).partial_end_vv
