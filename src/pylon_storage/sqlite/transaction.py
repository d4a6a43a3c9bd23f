"""Reading and writing rows on one connection: the ``Reader`` and the ``TxStore`` of SQLite.

``SqliteTx`` is the one door for writes: each method changes the row and appends the log entry on the same
connection. One thread uses an instance, for the length of one transaction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import apsw

from pylon_http import ChangeEvent, ChangeKind, DataError, Filter, Row
from pylon_storage import sql
from pylon_storage.codec import EntityCodec
from pylon_storage.sqlite import changelog
from pylon_storage.sqlite.committer import WriteGroup
from pylon_storage.sqlite.translate import reading, writing


class Catalog:
    """What the store knows of the manifest once it is open: a codec per entity, and which fields of a row
    decide who may read it (their values before a change go into the log)."""

    def __init__(self, codecs: Mapping[str, EntityCodec], watched: Mapping[str, frozenset[str]]) -> None:
        self._codecs = codecs
        self._watched = watched

    def codec(self, entity: str) -> EntityCodec:
        try:
            return self._codecs[entity]
        except KeyError:
            raise DataError("ENTITY_NOT_FOUND", f"There is no entity {entity!r}.") from None

    def watched_values(self, entity: str, row: Row) -> Row:
        return {field: row.get(field) for field in self._watched.get(entity, ())}


class SqliteReader:
    """Reads from one connection, which the caller has put into the state it wants to see."""

    def __init__(self, connection: apsw.Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    def get(self, entity: str, row_id: str) -> Row | None:
        codec = self._catalog.codec(entity)
        with reading(entity):
            found = self._connection.execute(codec.get_sql, (row_id,)).fetchone()
        return None if found is None else codec.decode(found)

    def query(self, entity: str, rows: Filter) -> list[Row]:
        codec = self._catalog.codec(entity)
        where, params = sql.where_clause(rows, codec.check_column)
        text = codec.select_sql + where + sql.order_clause(rows, codec.check_column) + sql.limit_clause(rows)
        with reading(entity):
            return [codec.decode(found) for found in self._connection.execute(text, params)]

    def count(self, entity: str, rows: Filter) -> int:
        codec = self._catalog.codec(entity)
        where, params = sql.where_clause(rows, codec.check_column)
        with reading(entity):
            text = f"SELECT count(*) FROM {sql.quote(entity)}{where}"
            return int(self._connection.execute(text, params).get)

    def lookup(self, entity: str, field: str, value: Any) -> Row | None:
        found = self.query(entity, Filter(where={field: value}, limit=1))
        return found[0] if found else None


class SqliteTx(SqliteReader):
    """Reads and writes inside a group's transaction."""

    def __init__(self, group: WriteGroup, catalog: Catalog, new_id: Callable[[], str]) -> None:
        super().__init__(group.connection, catalog)
        self._group = group
        self._new_id = new_id

    def insert(self, entity: str, data: Mapping[str, Any], row_id: str | None = None) -> Row:
        codec = self._catalog.codec(entity)
        row = codec.new_row(data, row_id or self._new_id())
        with writing(entity, "INSERT_FAILED"):
            self._connection.execute(codec.insert_sql, tuple(row.values()))
        self._log(entity, row["id"], ChangeKind.INSERT, row, None)
        return row

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None:
        codec = self._catalog.codec(entity)
        wanted = codec.patch(patch)
        old = self.get(entity, row_id)
        if old is None:
            return None
        changed = {field: value for field, value in wanted.items() if value != old[field]}
        if not changed:
            return old
        with writing(entity, "UPDATE_FAILED"):
            self._connection.execute(codec.update_sql(changed), (*changed.values(), row_id))
        row = {**old, **changed}
        before = self._catalog.watched_values(entity, old)
        moved = any(field in changed for field in before)
        self._log(entity, row_id, ChangeKind.UPDATE, row, before if moved else None)
        return row

    def delete(self, entity: str, row_id: str) -> bool:
        codec = self._catalog.codec(entity)
        old = self.get(entity, row_id)
        if old is None:
            return False
        with writing(entity, "DELETE_FAILED"):
            self._connection.execute(codec.delete_sql, (row_id,))
        self._log(entity, row_id, ChangeKind.DELETE, None, self._catalog.watched_values(entity, old))
        return True

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        events = len(self._group.events)
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._group.undo_to(events)
            if not self._connection.get_autocommit():
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            raise
        self._connection.execute("RELEASE part")

    def recall(self, scope: str, op_id: str) -> str | None:
        found = self._connection.execute(
            "SELECT row_id FROM _pylon_ops WHERE scope = ? AND op_id = ?", (scope, op_id)
        ).get
        return None if found is None else str(found)

    def remember(self, scope: str, op_id: str, row_id: str) -> None:
        self._connection.execute(
            "INSERT INTO _pylon_ops VALUES (?, ?, ?, ?)", (scope, op_id, row_id, self._group.timestamp_ms)
        )

    def _log(self, entity: str, row_id: str, kind: ChangeKind, row: Row | None, before: Row | None) -> None:
        event = ChangeEvent(self._group.head + 1, entity, row_id, kind, row, before, self._group.timestamp_ms)
        changelog.append(self._connection, event)
        self._group.head += 1
        self._group.events.append(event)
