"""Many writes in one request, for the administrator: ``/api/batch``, where each stands for itself, and
``/api/transact``, all or nothing (contract 01 §11 and §12).

Both pass every policy by and emit change events like any other write.
"""

from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Answer, ChangeKind, PendingResponse, Response, TxStore
from pylon_router.context import Call, RouterContext, require_admin
from pylon_router.row_operations import (
    Applied,
    RowOperation,
    apply,
    name_of,
    parse_operation,
    refuse_too_many,
)
from pylon_router.table import Route
from pylon_router.write_series import write_each

Result = dict[str, Any]


def post_batch(ctx: RouterContext, call: Call) -> Response:
    require_admin(call)
    operations = jsontext.decode_object(call.body).get("operations")
    if not isinstance(operations, list):
        raise PylonError("MISSING_OPERATIONS", "operations must be an array.")
    refuse_too_many(operations)

    def write(tx: TxStore, document: Any) -> Applied:
        return apply(tx, parse_operation(document))

    outcomes = write_each(ctx.store, operations, write)
    results = [_batch_result(*pair) for pair in zip(operations, outcomes, strict=True)]
    failed = sum(not result["ok"] for result in results)
    return Response.json({"failed": failed, "results": results, "succeeded": len(results) - failed})


def post_transact(ctx: RouterContext, call: Call) -> Answer:
    require_admin(call)
    documents = jsontext.decode(call.body)
    if not isinstance(documents, list):
        raise PylonError("INVALID_JSON", "The request body must be an array of operations.")
    refuse_too_many(documents)
    operations: list[RowOperation] = []
    for document in documents:
        try:
            operations.append(parse_operation(document))
        except PylonError as error:
            return _Rollback([_failure(name_of(document), error)]).response()
    return PendingResponse(ctx.store, lambda tx: _all_or_nothing(tx, operations), _transacted)


class _Rollback(msgspec.Struct, frozen=True):
    """What was done and undone, and last what failed."""

    results: list[Result]

    def response(self) -> Response:
        return Response.json({"committed": False, "results": self.results}, status=400)


def _all_or_nothing(tx: TxStore, operations: list[RowOperation]) -> list[Result] | _Rollback:
    """A failure of the database is raised: it says nothing about the operation."""
    results: list[Result] = []
    try:
        with tx.savepoint():
            for operation in operations:
                results.append(_transact_result(operation, apply(tx, operation)))  # noqa: PERF401 - kept when one fails
    except PylonError as error:
        if error.status >= 500:
            raise
        return _Rollback([*results, _failure(operations[len(results)].kind, error)])
    return results


def _transacted(outcome: list[Result] | _Rollback) -> Response:
    if isinstance(outcome, _Rollback):
        return outcome.response()
    return Response.json({"committed": True, "results": outcome})


def _transact_result(operation: RowOperation, applied: Applied) -> Result:
    result: Result = {"op": operation.kind, "id": applied.row_id}
    if operation.kind is ChangeKind.UPDATE:
        result["updated"] = applied.found
    elif operation.kind is ChangeKind.DELETE:
        result["deleted"] = applied.found
    return result


def _batch_result(document: Any, outcome: Applied | PylonError) -> Result:
    name = name_of(document)
    if isinstance(outcome, Applied):
        return {"op": name, "ok": True, "id": outcome.row_id}
    result = {**_failure(name, outcome), "ok": False}
    if name in (ChangeKind.UPDATE, ChangeKind.DELETE) and isinstance(document.get("id"), str):
        result["id"] = document["id"]
    return result


def _failure(name: str | None, error: PylonError) -> Result:
    return {"op": name, "error": error.message, "code": error.code}


ROUTES = (
    Route("POST", "/api/batch", post_batch),
    Route("POST", "/api/transact", post_transact),
)
