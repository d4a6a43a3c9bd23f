"""Reading and writing rows over one connection, whatever the engine: the ``Reader`` and the ``TxStore``.

``SqlTx`` is the one door for writes (design §3.1): each method changes the row, its text index, its collaborative
document (if it has one) and the change log in the same transaction. One thread uses an instance, for the length of
one transaction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from pylon_core.manifest import FieldKind
from pylon_http import (
    Aggregation,
    ChangeKind,
    Condition,
    DataError,
    Filter,
    MergeRehearsal,
    Row,
    Search,
    SearchPage,
)
from pylon_http.jobs import JobClaim, NewJob
from pylon_http.where import Scalar, equal
from pylon_storage import sql
from pylon_storage.aggregation import aggregate
from pylon_storage.catalog import Catalog, EntityTable
from pylon_storage.crdt import snapshots
from pylon_storage.crdt.entity_documents import Rehearsal, Version, supported
from pylon_storage.fragment import Fragment
from pylon_storage.jobs import transitions
from pylon_storage.search.pages import search_page
from pylon_storage.statements import Statements, TableStatements
from pylon_storage.where import order_clause, where_clause

_RANK = '" rank"'
"""No field's name begins with a space."""

_HEAD = (
    "SELECT (SELECT coalesce(max(seq), 0) FROM _pylon_changes),"
    " (SELECT coalesce(max(value), '0') FROM _pylon_meta WHERE key = 'floor')"
)
"""Below the floor the log may have lost its newest entry."""


class RowStatements(TableStatements, Protocol):
    """Statements inside a transaction that may write."""

    def change(self, text: str, params: Sequence[Any], entity: str, code: str) -> None:
        """Write one row. Raises DataError ``code``, with 409 for a value that is taken, for what a constraint of
        the entity refuses."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what the body wrote when it raises, and only that."""


class ChangeRecorder(Protocol):
    """The change log as one transaction fills it."""

    timestamp_ms: int

    def record(
        self,
        entity: str,
        row_id: str,
        kind: ChangeKind,
        row: Row | None,
        before: Row | None,
        delta: bytes | None = None,
    ) -> None: ...

    def mark(self) -> int:
        """How much is recorded so far."""

    def undo_to(self, mark: int) -> None:
        """Forget what was recorded since; a rolled-back savepoint did so in the database."""

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        """``SqlTx.forget`` for what is recorded and not in the log's table yet."""


class SqlReader:
    """Reads from one connection, which the caller has put into the state it wants to see."""

    def __init__(self, statements: Statements, catalog: Catalog) -> None:
        self._statements = statements
        self._catalog = catalog

    def get(self, entity: str, row_id: str) -> Row | None:
        codec = self._catalog.table(entity).codec
        found = self._statements.one(codec.get_sql, (row_id,))
        return None if found is None else codec.decode(found)

    def query(self, entity: str, rows: Filter) -> list[Row]:
        table = self._catalog.table(entity)
        text, params = _selection(table, rows)
        decode = table.codec.decode
        if rows.chars_max is None:
            return [decode(found) for found in self._statements.all(text, params)]
        return [decode(found) for found in self._statements.bounded(text, params, rows.chars_max)]

    def count(self, entity: str, rows: Filter) -> int:
        found = self._statements.one(*self._counting(entity, rows))
        assert found is not None
        return int(found[0])

    def lookup(self, entity: str, field: str, value: Scalar, condition: Condition | None = None) -> Row | None:
        codec = self._catalog.table(entity).codec
        wanted = codec.spelled(field, value) if isinstance(value, str) else value
        if wanted is None:
            return None
        found = self.query(entity, Filter(where=equal(field, wanted), condition=condition, limit=1))
        return found[0] if found else None

    def aggregate(self, entity: str, wanted: Aggregation) -> list[Row]:
        return aggregate(self._statements, self._catalog.table(entity), wanted)

    def search(self, entity: str, wanted: Search) -> SearchPage:
        return search_page(self._statements, self._catalog.table(entity), wanted)

    def document(self, entity: str, row_id: str) -> bytes | None:
        if self._catalog.table(entity).documents is None:
            return None
        return snapshots.find(self._statements, entity, row_id)

    def rehearse_merge(self, entity: str, row_id: str, update: bytes) -> Rehearsal | None:
        table = self._catalog.table(entity)
        existing, snapshot = self._stored(table, row_id)
        return None if existing is None else Rehearsal(table.documents, entity, existing, snapshot, update)

    def head(self) -> int:
        found = self._statements.one(_HEAD)
        assert found is not None
        newest, floor = found
        return max(int(newest), int(floor))

    def _stored(self, table: EntityTable, row_id: str) -> tuple[Row | None, bytes | None]:
        """The row and the snapshot of its document, in one statement."""
        codec = table.codec
        if table.documents is None:
            found = self._statements.one(codec.get_sql, (row_id,))
            return (None if found is None else codec.decode(found)), None
        found = self._statements.one(table.documents.get_sql, (row_id,))
        if found is None:
            return None, None
        return codec.decode(found[:-1]), found[-1]

    def _counting(self, entity: str, rows: Filter) -> Fragment:
        where = where_clause(self._catalog.table(entity), rows)
        return Fragment(f"SELECT count(*) FROM {sql.quote(entity)}{where.text}", where.params)


class SqlTx(SqlReader):
    """Reads and writes inside a transaction, and sees its own writes."""

    def __init__(
        self, statements: RowStatements, recorder: ChangeRecorder, catalog: Catalog, new_id: Callable[[], str]
    ) -> None:
        super().__init__(statements, catalog)
        self._writes = statements
        self._recorder = recorder
        self._new_id = new_id

    def insert(self, entity: str, data: Mapping[str, Any], row_id: str | None = None) -> Row:
        table = self._catalog.table(entity)
        codec = table.codec
        row = codec.new_row(data, row_id or self._new_id())
        self._writes.change(codec.insert_sql, codec.encode(row), entity, "INSERT_FAILED")
        table.index.add(self._writes, row)
        self._recorder.record(entity, row["id"], ChangeKind.INSERT, row, None)
        return row

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None:
        table = self._catalog.table(entity)
        codec = table.codec
        wanted = codec.patch(patch)
        old, snapshot = self._stored(table, row_id)
        if old is None:
            return None
        changed = codec.changes(old, wanted)
        if not changed:
            return old
        row = {**old, **changed}
        version = None if snapshot is None else supported(table.documents, entity).saying(row, snapshot)
        self._change(table, old, row, changed, version)
        return row

    def delete(self, entity: str, row_id: str) -> bool:
        table = self._catalog.table(entity)
        old, snapshot = self._stored(table, row_id)
        if old is None:
            return False
        self._writes.change(table.codec.delete_sql, (row_id,), entity, "DELETE_FAILED")
        table.index.remove(self._writes, row_id)
        if snapshot is not None:
            snapshots.remove(self._writes, entity, row_id)
        self._recorder.record(entity, row_id, ChangeKind.DELETE, None, table.watched_values(old))
        return True

    def open_document(self, entity: str, row_id: str) -> bytes | None:
        table = self._catalog.table(entity)
        documents = supported(table.documents, entity)
        row, snapshot = self._stored(table, row_id)
        if row is None:
            return None
        version = documents.saying(row, snapshot)
        if snapshot is None:
            snapshots.keep(self._writes, entity, row_id, version.snapshot)
        elif version.delta is None:
            return snapshot
        else:  # written past this door, or by a manifest that had other documents
            self._change(table, row, row, {}, version)
        return version.snapshot

    def merge(
        self, entity: str, row_id: str, update: bytes, rehearsal: MergeRehearsal | None = None
    ) -> Row | None:
        table = self._catalog.table(entity)
        supported(table.documents, entity)
        old, snapshot = self._stored(table, row_id)
        if old is None:
            return None
        if not isinstance(rehearsal, Rehearsal):
            rehearsal = Rehearsal(table.documents, entity, old, snapshot, update)
        version = rehearsal.version(old, snapshot)
        if version is None:
            return old
        row = version.row
        changed = {field: value for field, value in row.items() if value != old[field]}
        self._change(table, old, row, changed, version)
        return row

    def _change(self, table: EntityTable, old: Row, row: Row, changed: Row, version: Version | None) -> None:
        """Make the stored row another, together with its document."""
        codec, row_id = table.codec, old["id"]
        if changed:
            values = [*codec.encode(changed), row_id]
            self._writes.change(codec.update_sql(changed), values, codec.entity, "UPDATE_FAILED")
            table.index.replace(self._writes, row, changed)
        if version is not None:
            snapshots.keep(self._writes, codec.entity, row_id, version.snapshot)
        before = None if table.watched.isdisjoint(changed) else table.watched_values(old)
        delta = None if version is None else version.delta
        self._recorder.record(codec.entity, row_id, ChangeKind.UPDATE, row, before, delta)

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        if not rows:
            return
        # Whoever misses an entry without ``before`` still hears of the row's end: until a later entry says
        # otherwise the same viewers could see it. The others may be the last that somebody is to see of the row.
        erased = entries_with_rows(self._catalog, rows)
        for statement in (
            f"DELETE FROM _pylon_changes WHERE before IS NULL AND {erased.text}",
            f"UPDATE _pylon_changes SET kind = 'delete', data = NULL, delta = NULL WHERE {erased.text}",
        ):
            self._writes.change(statement, erased.params, "the change log", "DELETE_FAILED")
        self._recorder.forget(rows)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        mark = self._recorder.mark()
        try:
            with self._writes.savepoint():
                yield
        except BaseException:
            self._recorder.undo_to(mark)
            raise

    def recall(self, scope: str, op_id: str) -> str | None:
        found = self._writes.one("SELECT row_id FROM _pylon_ops WHERE scope = ? AND op_id = ?", (scope, op_id))
        return None if found is None else str(found[0])

    def remember(self, scope: str, op_id: str, row_id: str) -> None:
        self._writes.change(
            "INSERT INTO _pylon_ops (scope, op_id, row_id, timestamp_ms) VALUES (?, ?, ?, ?)",
            (scope, op_id, row_id, self._recorder.timestamp_ms),
            "the operations",
            "INSERT_FAILED",
        )

    def enqueue(self, job: NewJob) -> str:
        return transitions.enqueue(self._writes, job, self._recorder.timestamp_ms)

    def cancel_job(self, job_id: str) -> bool:
        return transitions.cancel(self._writes, job_id, self._recorder.timestamp_ms)

    def complete_job(self, claim: JobClaim) -> None:
        transitions.complete(self._writes, claim, self._recorder.timestamp_ms)


def _selection(table: EntityTable, rows: Filter) -> Fragment:
    codec = table.codec
    where, order = where_clause(table, rows), order_clause(table, rows)
    window = codec.dialect.window(rows.limit, rows.offset)
    if rows.limit_per is None:
        return Fragment(f"{codec.select_sql}{where.text}{order.text}{window}", where.params + order.params)
    field, each = rows.limit_per
    codec.kind(field)
    if order.params:
        raise DataError("INVALID_QUERY", "A search that is limited for each value needs an $order.")
    columns = ", ".join(map(sql.quote, codec.columns))
    ranked = (
        f"SELECT {columns}, row_number() OVER (PARTITION BY {sql.quote(field)}{order.text}) AS {_RANK}"
        f" FROM {sql.quote(codec.entity)}{where.text}"
    )
    return Fragment(
        f'SELECT {columns} FROM ({ranked}) AS "ranked" WHERE {_RANK} <= {each:d}{order.text}{window}',
        where.params,
    )


def entries_with_rows(catalog: Catalog, rows: Mapping[str, Sequence[str]]) -> Fragment:
    """True for the log entries that hold one of these rows, ids by entity; one pass over the log finds them."""
    terms: list[str] = []
    params: list[Any] = []
    for entity, row_ids in rows.items():
        dialect = catalog.table(entity).codec.dialect
        terms.append(f"(entity = ? AND {dialect.member('row_id', FieldKind.ID)})")
        params += [entity, dialect.members(row_ids, FieldKind.ID)]
    return Fragment(f"data IS NOT NULL AND ({' OR '.join(terms)})", tuple(params))
