"""The operations of ``ctx.db`` over a store (contract 07 §5).

Functions are trusted: no policies here. But what they send is not typed, so each operation checks its own
operands; a missing id names no row.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pylon_core.errors import PylonError
from pylon_functions.protocol import Database
from pylon_http import DataError, Filter, Reader, TxStore
from pylon_http.filters import parse_filter

PAGE_ROWS_DEFAULT = 20
PAGE_ROWS_MAX = 1000


def read(reader: Reader, operation: Database) -> Any:
    """Do an operation that may only read; its ``result.data``."""
    do = _READS.get(str(operation.op))
    if do is None:
        raise _not_a_read(str(operation.op))
    return do(reader, _entity(operation), operation)


def write(tx: TxStore, operation: Database) -> Any:
    """Do any operation inside a mutation's transaction; its ``result.data``."""
    do = _WRITES.get(str(operation.op))
    if do is None:
        return read(tx, operation)
    return do(tx, _entity(operation), operation)


def _get(reader: Reader, entity: str, operation: Database) -> Any:
    row_id = _row_id(operation)
    return None if row_id is None else reader.get(entity, row_id)


def _list(reader: Reader, entity: str, _operation: Database) -> Any:
    return reader.query(entity, Filter())


def _lookup(reader: Reader, entity: str, operation: Database) -> Any:
    if not isinstance(operation.field, str) or not isinstance(operation.value, str | int | float):
        raise DataError("INVALID_QUERY", "lookup needs the name of a field and a plain value.")
    return reader.lookup(entity, operation.field, operation.value)


def _query(reader: Reader, entity: str, operation: Database) -> Any:
    return reader.query(entity, parse_filter({} if operation.data is msgspec.UNSET else operation.data))


def _paginate(reader: Reader, entity: str, operation: Database) -> Any:
    size = _page_rows(operation.limit)
    after = None if operation.after is None else str(operation.after)
    rows = reader.query(entity, Filter(after=after, limit=size + 1))
    page = rows[:size]
    is_done = len(rows) <= size
    return {"page": page, "nextCursor": None if is_done else page[-1]["id"], "isDone": is_done}


def _insert(tx: TxStore, entity: str, operation: Database) -> Any:
    return {"id": tx.insert(entity, _data(operation))["id"]}


def _update(tx: TxStore, entity: str, operation: Database) -> Any:
    row_id, patch = _row_id(operation), _data(operation)
    says_something = any(field != "id" for field in patch)
    return {"updated": row_id is not None and tx.update(entity, row_id, patch) is not None and says_something}


def _delete(tx: TxStore, entity: str, operation: Database) -> Any:
    row_id = _row_id(operation)
    return {"deleted": row_id is not None and tx.delete(entity, row_id)}


_READS: Mapping[str, Callable[[Reader, str, Database], Any]] = {
    "get": _get,
    "list": _list,
    "lookup": _lookup,
    "query": _query,
    "paginate": _paginate,
}
_WRITES: Mapping[str, Callable[[TxStore, str, Database], Any]] = {
    "insert": _insert,
    "update": _update,
    "delete": _delete,
}
_LATER = frozenset({"query_graph", "search", "link", "unlink"})


def _not_a_read(op: str) -> PylonError:
    if op in _WRITES:
        return PylonError("NOT_SUPPORTED", f"A query may only read; ctx.db.{op} belongs in a mutation.")
    if op in _LATER:
        return PylonError("NOT_IMPLEMENTED", f"ctx.db.{op} is not available in functions yet.")
    if op == "transact":
        return DataError("NESTED_TRANSACTION", "A function is one transaction already.")
    return PylonError("NOT_SUPPORTED", f"There is no database operation {op!r}.")


def _entity(operation: Database) -> str:
    if not isinstance(operation.entity, str):
        raise DataError("ENTITY_NOT_FOUND", "The entity must be named by a string.")
    return operation.entity


def _row_id(operation: Database) -> str | None:
    row_id = operation.id
    return row_id if row_id is None or isinstance(row_id, str) else str(row_id)


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
