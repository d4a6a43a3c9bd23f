"""``ctx.db``: the operations of contract 07 §5, each one question to the server and its answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Ask = Callable[[str, Mapping[str, Any]], Any]
"""Sends one operation with its operands and waits for its data."""


class DatabaseReader:
    """Reads one state of the database. The filter language is that of the HTTP API."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def get(self, entity: str, row_id: str) -> Row | None:
        row: Row | None = self._ask("get", {"entity": entity, "id": row_id})
        return row

    def list(self, entity: str) -> "Sequence[Row]":
        """Every row, by id."""
        return self._rows("list", {"entity": entity})

    def lookup(self, entity: str, field: str, value: Any) -> Row | None:
        """The first row, by id, whose field equals the value."""
        row: Row | None = self._ask("lookup", {"entity": entity, "field": field, "value": value})
        return row

    def query(self, entity: str, filter: Mapping[str, Any] | None = None) -> "Sequence[Row]":  # noqa: A002 - its name
        return self._rows("query", {"entity": entity, "data": filter or {}})

    def query_graph(self, graph: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("query_graph", {"entity": "", "data": graph})
        return found

    def aggregate(self, entity: str, aggregation: Mapping[str, Any]) -> "Sequence[Row]":
        """One row a group; without ``groupBy`` exactly one."""
        return self._rows("aggregate", {"entity": entity, "data": aggregation})

    def paginate(self, entity: str, cursor: str | None = None, num_items: int = 20) -> dict[str, Any]:
        """``{"page", "nextCursor", "isDone"}``, by id, from 1 to 1000 rows."""
        operands = {"entity": entity, "limit": num_items}
        page: dict[str, Any] = self._ask("paginate", operands if cursor is None else {**operands, "after": cursor})
        return page

    def search(self, entity: str, search: Mapping[str, Any]) -> dict[str, Any]:
        """``{"hits", "facetCounts", "total", "tookMs"}``."""
        found: dict[str, Any] = self._ask("search", {"entity": entity, "data": search})
        return found

    def _rows(self, op: str, operands: Mapping[str, Any]) -> "Sequence[Row]":
        rows: list[Row] = self._ask(op, operands)
        return rows


class DatabaseWriter(DatabaseReader):
    """Reads and writes inside the mutation's transaction, and sees its own writes."""

    def insert(self, entity: str, data: Mapping[str, Any]) -> str:
        """The new row's id."""
        row_id: str = self._ask("insert", {"entity": entity, "data": data})["id"]
        return row_id

    def update(self, entity: str, row_id: str, data: Mapping[str, Any]) -> bool:
        """Whether there was such a row and something to change."""
        return self._did("update", {"entity": entity, "id": row_id, "data": data})

    def delete(self, entity: str, row_id: str) -> bool:
        """Whether there was such a row."""
        return self._did("delete", {"entity": entity, "id": row_id})

    def link(self, entity: str, row_id: str, relation: str, target_id: str) -> bool:
        """Whether both rows are there."""
        return self._did("link", {"entity": entity, "id": row_id, "relation": relation, "target_id": target_id})

    def unlink(self, entity: str, row_id: str, relation: str, target_id: str | None = None) -> bool:
        """Whether there was such a row and, with a target, such a link. A relation to many needs one."""
        operands = {"entity": entity, "id": row_id, "relation": relation}
        return self._did("unlink", operands if target_id is None else {**operands, "target_id": target_id})

    def _did(self, op: str, operands: Mapping[str, Any]) -> bool:
        (answer,) = self._ask(op, operands).values()
        return answer is True
