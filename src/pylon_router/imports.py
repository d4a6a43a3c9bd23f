"""Rows back in, under the ids they had: ``POST /api/import`` (contract 01 §13).

Takes what ``/api/export`` gave. Each row stands for itself: one that is refused is counted, the others are stored.
Past every policy, and with change events like any other write.
"""

from collections import Counter
from typing import Any, NamedTuple

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Response, TxStore
from pylon_router.context import Call, RouterContext, require_admin
from pylon_router.table import Route
from pylon_router.write_series import write_each

ERRORS_MAX = 100
"""Failures that are told one by one."""

_NOT_FIELDS = frozenset({"id", "__internal__"})


class _Item(NamedTuple):
    entity: str
    row: Any


def post_import(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    entities = jsontext.decode_object(call.body).get("entities")
    if not isinstance(entities, dict):
        raise PylonError("MISSING_FIELD", "entities must be an object of arrays of rows.")
    items = [
        _Item(entity, row) for entity, rows in sorted(entities.items()) if isinstance(rows, list) for row in rows
    ]
    outcomes = write_each(ctx.store, items, _insert)
    failures = [
        (item, outcome) for item, outcome in zip(items, outcomes, strict=True) if isinstance(outcome, PylonError)
    ]
    return Response.json(_report(entities, items, failures))


def _insert(tx: TxStore, item: _Item) -> None:
    row = item.row
    if not isinstance(row, dict):
        raise PylonError("INVALID_DATA", "A row must be an object.")
    row_id = row.get("id")
    if row_id is not None and not _may_be_id(row_id):
        raise PylonError("INVALID_DATA", "id must be a string that is not empty.")
    data = {field: value for field, value in row.items() if field not in _NOT_FIELDS}
    tx.insert(item.entity, data, row_id)


def _may_be_id(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _report(
    entities: dict[str, Any], items: list[_Item], failures: list[tuple[_Item, PylonError]]
) -> dict[str, Any]:
    rows = Counter(item.entity for item in items)
    failed = Counter(item.entity for item, _ in failures)
    return {
        "by_entity": [
            {"entity": name, "failed": failed[name], "inserted": rows[name] - failed[name]}
            for name in sorted(entities)
            if isinstance(entities[name], list)
        ],
        "errors": [
            {
                "entity": item.entity,
                "id": item.row.get("id") if isinstance(item.row, dict) else None,
                "code": error.code,
                "message": error.message,
            }
            for item, error in failures[:ERRORS_MAX]
        ],
        "failed": len(failures),
        "imported": len(items) - len(failures),
    }


ROUTES = (Route("POST", "/api/import", post_import),)
