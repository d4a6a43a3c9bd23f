"""A transaction tried out beside everybody else's: reads from a snapshot, writes kept in memory, done for real at
the end.

A mutation that talks with another process for each of its operations would keep all other writers waiting. Tried
out like this it keeps nobody waiting: when it has ended, ``settle`` looks at what others changed since the
snapshot, and if it saw none of that, does its writes, all within the moment of a transaction. What it saw are rows
by id, and whole entities where it asked for more than one row. The outcome is that of a transaction that ran
alone. One thread at a time uses an instance.
"""

from collections.abc import Callable, Mapping
from typing import Any, Never

from pylon_http import (
    Aggregation,
    Condition,
    DataError,
    Filter,
    NeedsTransaction,
    RerunRefused,
    Row,
    Search,
    SearchPage,
    Trial,
    TxStore,
)
from pylon_http.where import Scalar
from pylon_storage.catalog import Catalog
from pylon_storage.rows import SqlReader
from pylon_storage.sqlite.recent_changes import Key
from pylon_storage.sqlite.transactions import SqliteTx


class SqliteTrial:
    """``head`` is the newest commit that the reader's snapshot surely has; it may have later ones."""

    def __init__(self, reader: SqlReader, head: int, catalog: Catalog, new_id: Callable[[], str]) -> None:
        self._reader = reader
        self._catalog = catalog
        self._new_id = new_id
        self._seen_rows: set[Key] = set()
        self._seen_entities: set[str] = set()
        self._written: dict[Key, Row | None] = {}
        """Rows as they are by now; ``None``: deleted."""
        self._written_entities: set[str] = set()
        self._writes: list[Callable[[TxStore], bool]] = []
        """Each does one write and says whether it found what it had found here."""
        self._head = head

    @property
    def has_written(self) -> bool:
        return bool(self._writes)

    # What it does

    def get(self, entity: str, row_id: str) -> Row | None:
        key = (entity, row_id)
        if key in self._written:
            return self._written[key]
        row = self._reader.get(entity, row_id)
        self._seen_rows.add(key)
        return row

    def query(self, entity: str, rows: Filter) -> list[Row]:
        return self._all_of(entity).query(entity, rows)

    def count(self, entity: str, rows: Filter) -> int:
        return self._all_of(entity).count(entity, rows)

    def lookup(self, entity: str, field: str, value: Scalar, condition: Condition | None = None) -> Row | None:
        return self._all_of(entity).lookup(entity, field, value, condition)

    def aggregate(self, entity: str, wanted: Aggregation) -> list[Row]:
        return self._all_of(entity).aggregate(entity, wanted)

    def search(self, entity: str, wanted: Search) -> SearchPage:
        return self._all_of(entity).search(entity, wanted)

    def insert(self, entity: str, data: Mapping[str, Any], row_id: str | None = None) -> Row:
        codec = self._catalog.table(entity).codec
        row = codec.new_row(data, row_id or self._new_id())
        self._note(entity, row["id"], row, lambda tx: bool(tx.insert(entity, data, row["id"])))
        return row

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None:
        codec = self._catalog.table(entity).codec
        wanted = codec.patch(patch)
        old = self.get(entity, row_id)
        if old is None:
            return None
        changed = codec.changes(old, wanted)
        if not changed:
            return old
        row = {**old, **changed}
        self._note(entity, row_id, row, lambda tx: tx.update(entity, row_id, patch) is not None)
        return row

    def delete(self, entity: str, row_id: str) -> bool:
        if self.get(entity, row_id) is None:
            return False
        self._note(entity, row_id, None, lambda tx: tx.delete(entity, row_id))
        return True

    def head(self) -> int:
        return self._head

    # The end

    def settle(self, tx: TxStore) -> None:
        assert isinstance(tx, SqliteTx)  # the same store's
        if self._is_outdated(tx):
            raise RerunRefused
        try:
            did_all = all(write(tx) for write in self._writes)
        except DataError as error:  # the handler could not answer to it any more
            raise RerunRefused from error
        if not did_all:
            raise RerunRefused

    def _is_outdated(self, tx: SqliteTx) -> bool:
        changed = tx.changed_since(self._head)
        if changed is None:
            return True
        return any(
            entity in self._seen_entities or (entity, row_id) in self._seen_rows for entity, row_id in changed
        )

    def _all_of(self, entity: str) -> SqlReader:
        """For whoever looks at more than one row."""
        if entity in self._written_entities:
            raise NeedsTransaction
        self._seen_entities.add(entity)
        return self._reader

    def _note(self, entity: str, row_id: str, row: Row | None, write: Callable[[TxStore], bool]) -> None:
        self._written[entity, row_id] = row
        self._written_entities.add(entity)
        self._writes.append(write)

    def _only_in_a_transaction(self, *_args: Any, **_named: Any) -> Never:
        raise NeedsTransaction

    document = rehearse_merge = open_document = merge = forget = savepoint = _only_in_a_transaction
    recall = remember = enqueue = cancel_job = complete_job = _only_in_a_transaction


_: type[Trial] = SqliteTrial
