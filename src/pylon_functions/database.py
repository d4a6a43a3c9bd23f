"""The operations of ``ctx.db`` over a store (contract 07 §5).

Functions are trusted: no policies here, those of ``as_user`` are behind the rows that it gives. But what
functions send is not typed, so each operation checks its own operands; a missing id names no row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_functions.protocol import Database
from pylon_http import DataError, Filter, Row
from pylon_http.aggregates import Aggregation, parse_aggregation
from pylon_http.expansion import GraphReading, Projection, RowQueries
from pylon_http.filters import parse_filter
from pylon_http.graph import Selection, parse_graph
from pylon_http.relations import find_relation, reference
from pylon_http.search import Search, SearchPage, parse_search
from pylon_http.where import Scalar

PAGE_ROWS_DEFAULT = 20
PAGE_ROWS_MAX = 1000
GRAPH_ROWS_MAX = 100_000
"""Rows of one graph, counted wherever they stand in it. A function could not see that there were more."""


class RowReader(Protocol):
    """What reading operations ask of a store: the part of ``pylon_http.Reader`` that they need."""

    def get(self, entity: str, row_id: str) -> Row | None: ...

    def query(self, entity: str, rows: Filter) -> list[Row]: ...

    def lookup(self, entity: str, field: str, value: Scalar) -> Row | None: ...

    def aggregate(self, entity: str, wanted: Aggregation) -> list[Row]: ...

    def search(self, entity: str, wanted: Search) -> SearchPage: ...


class RowWriter(RowReader, Protocol):
    """What writing operations ask of a transaction: the part of ``pylon_http.TxStore`` that they need."""

    def insert(self, entity: str, data: Mapping[str, Any]) -> Row: ...

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None: ...

    def delete(self, entity: str, row_id: str) -> bool: ...


Read = Callable[[RowReader, str, Database], Any]
Write = Callable[[RowWriter, str, Database], Any]


class Operations:
    """``ctx.db`` of one app. Immutable; any thread may use it."""

    def __init__(self, manifest: AppManifest, clock: Clock) -> None:
        self._manifest = manifest
        self._clock = clock
        self._reads: Mapping[str, Read] = {
            **_READS,
            "query_graph": self._query_graph,
            "search": self._search,
        }
        self._writes: Mapping[str, Write] = {**_WRITES, "link": self._link, "unlink": self._unlink}

    def read(self, reader: RowReader, operation: Database) -> Any:
        """Do an operation that may only read; its ``result.data``."""
        do = self._reads.get(str(operation.op))
        if do is None:
            raise self._not_a_read(str(operation.op))
        return do(reader, _entity(operation), operation)

    def write(self, tx: RowWriter, operation: Database) -> Any:
        """Do any operation inside a mutation's transaction; its ``result.data``."""
        do = self._writes.get(str(operation.op))
        if do is None:
            return self.read(tx, operation)
        return do(tx, _entity(operation), operation)

    def _query_graph(self, reader: RowReader, _entity: str, operation: Database) -> Any:
        return read_graph(reader, parsed_graph(operation, self._manifest), lambda _entity, row: row)

    def _search(self, reader: RowReader, entity: str, operation: Database) -> Any:
        wanted = parse_search(_document(operation))
        begun_s = self._clock.monotonic()
        page = reader.search(entity, wanted)
        return page.to_wire(page.hits, self._clock.monotonic() - begun_s)

    def _link(self, tx: RowWriter, entity: str, operation: Database) -> Any:
        """Both rows must be there, or there is nothing to link."""
        relation = find_relation(self._manifest, entity, str(operation.relation))
        row_id, target_id = _row_id(operation), operation.target_id
        if row_id is None or not isinstance(target_id, str):
            return {"linked": False}
        held = reference(entity, row_id, relation, target_id)
        other = entity if relation.many else relation.target
        is_linked = (
            tx.get(other, held.target_id) is not None
            and tx.update(held.entity, held.row_id, {held.field: held.target_id}) is not None
        )
        return {"linked": is_linked}

    def _unlink(self, tx: RowWriter, entity: str, operation: Database) -> Any:
        """A ``target_id``, which a relation to many needs, ends the link to that row only."""
        relation = find_relation(self._manifest, entity, str(operation.relation))
        row_id, target_id = _row_id(operation), operation.target_id
        if row_id is None:
            return {"unlinked": False}
        if target_id is None and not relation.many:
            return {"unlinked": tx.update(entity, row_id, {relation.field: None}) is not None}
        if not isinstance(target_id, str):
            raise DataError("INVALID_DATA", f"unlink needs the id of the row that {relation.name} leads to.")
        held = reference(entity, row_id, relation, target_id)
        row = tx.get(held.entity, held.row_id)
        if row is None or row[held.field] != held.target_id:
            return {"unlinked": False}
        tx.update(held.entity, held.row_id, {held.field: None})
        return {"unlinked": True}

    def _not_a_read(self, op: str) -> PylonError:
        if op in self._writes:
            return PylonError("NOT_SUPPORTED", f"A query may only read; ctx.db.{op} belongs in a mutation.")
        if op == "transact":
            return DataError("NESTED_TRANSACTION", "A function is one transaction already.")
        return PylonError("NOT_SUPPORTED", f"There is no database operation {op!r}.")


def parsed_graph(operation: Database, manifest: AppManifest) -> Sequence[Selection]:
    return parse_graph(_document(operation), manifest)


def read_graph(rows: RowQueries, graph: Sequence[Selection], project: Projection) -> Any:
    """The whole graph; INVALID_QUERY where that is too much."""
    reading = GraphReading(rows, project, rows_max=GRAPH_ROWS_MAX)
    answer = reading.read(graph)
    if reading.truncated:
        raise DataError("INVALID_QUERY", f"The graph has more than {GRAPH_ROWS_MAX} rows; set limits.")
    return answer


def _get(reader: RowReader, entity: str, operation: Database) -> Any:
    row_id = _row_id(operation)
    return None if row_id is None else reader.get(entity, row_id)


def _list(reader: RowReader, entity: str, _operation: Database) -> Any:
    return reader.query(entity, Filter())


def _lookup(reader: RowReader, entity: str, operation: Database) -> Any:
    if not isinstance(operation.field, str) or not isinstance(operation.value, str | int | float):
        raise DataError("INVALID_QUERY", "lookup needs the name of a field and a plain value.")
    return reader.lookup(entity, operation.field, operation.value)


def _query(reader: RowReader, entity: str, operation: Database) -> Any:
    return reader.query(entity, parse_filter(_document(operation)))


def _aggregate(reader: RowReader, entity: str, operation: Database) -> Any:
    return reader.aggregate(entity, parse_aggregation(_document(operation)))


def _paginate(reader: RowReader, entity: str, operation: Database) -> Any:
    size = _page_rows(operation.limit)
    after = None if operation.after is None else str(operation.after)
    rows = reader.query(entity, Filter(after=after, limit=size + 1))
    page = rows[:size]
    is_done = len(rows) <= size
    return {"page": page, "nextCursor": None if is_done else page[-1]["id"], "isDone": is_done}


def _insert(tx: RowWriter, entity: str, operation: Database) -> Any:
    return {"id": tx.insert(entity, _data(operation))["id"]}


def _update(tx: RowWriter, entity: str, operation: Database) -> Any:
    row_id, patch = _row_id(operation), _data(operation)
    says_something = any(field != "id" for field in patch)
    return {"updated": row_id is not None and tx.update(entity, row_id, patch) is not None and says_something}


def _delete(tx: RowWriter, entity: str, operation: Database) -> Any:
    row_id = _row_id(operation)
    return {"deleted": row_id is not None and tx.delete(entity, row_id)}


_READS: Mapping[str, Read] = {
    "get": _get,
    "list": _list,
    "lookup": _lookup,
    "query": _query,
    "aggregate": _aggregate,
    "paginate": _paginate,
}
_WRITES: Mapping[str, Write] = {
    "insert": _insert,
    "update": _update,
    "delete": _delete,
}


def _entity(operation: Database) -> str:
    if not isinstance(operation.entity, str):
        raise DataError("ENTITY_NOT_FOUND", "The entity must be named by a string.")
    return operation.entity


def _row_id(operation: Database) -> str | None:
    row_id = operation.id
    return row_id if row_id is None or isinstance(row_id, str) else str(row_id)


def _document(operation: Database) -> Any:
    """What a read is asked to look for; by itself, everything."""
    return {} if operation.data is msgspec.UNSET else operation.data


def _data(operation: Database) -> Mapping[str, Any]:
    data = operation.data
    if data is msgspec.UNSET:
        return {}
    if not isinstance(data, dict):
        raise DataError("INVALID_DATA", f"{operation.op} needs an object of fields.")
    return data


def _page_rows(limit: object) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return PAGE_ROWS_DEFAULT
    return int(min(max(limit, 1), PAGE_ROWS_MAX))
