"""One operation of a batch or a transaction: insert, update or delete of one row (contract 01 §11, 12 §12.4).

Past every policy: only the administrator's requests are made of these.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from pylon_core.errors import PylonError
from pylon_http import ChangeKind, TxStore

OPERATIONS_MAX = 10_000


class RowOperation(msgspec.Struct, frozen=True):
    """``row_id`` is ``None`` for an insert, ``data`` empty for a delete."""

    kind: ChangeKind
    entity: str
    row_id: str | None
    data: Mapping[str, Any]


class Applied(msgspec.Struct, frozen=True):
    """``found`` is false for an update or a delete of a row that is not there."""

    row_id: str
    found: bool


def parse_operation(document: Any) -> RowOperation:
    """Raises INVALID_DATA for anything else."""
    if not isinstance(document, dict):
        raise _malformed("An operation must be an object.")
    try:
        kind = ChangeKind(document["op"])
    except (KeyError, ValueError):
        raise _malformed("unknown operation") from None
    entity, row_id, data = document.get("entity"), document.get("id"), document.get("data", {})
    if not isinstance(entity, str):
        raise _malformed("entity must be a string.")
    if kind is ChangeKind.INSERT:
        row_id = None
    elif not isinstance(row_id, str):
        raise _malformed("id must be a string.")
    if kind is ChangeKind.DELETE:
        data = {}
    elif not isinstance(data, dict) or "data" not in document:
        raise _malformed("data must be an object.")
    return RowOperation(kind, entity, row_id, data)


def name_of(document: Any) -> str | None:
    """The ``op`` as given, for the answer; ``None`` where there is no text."""
    name = document.get("op") if isinstance(document, dict) else None
    return name if isinstance(name, str) else None


def apply(tx: TxStore, operation: RowOperation) -> Applied:
    """Raises what the store raises."""
    entity, row_id = operation.entity, operation.row_id
    if row_id is None:
        return Applied(tx.insert(entity, operation.data)["id"], found=True)
    if operation.kind is ChangeKind.UPDATE:
        return Applied(row_id, tx.update(entity, row_id, operation.data) is not None)
    return Applied(row_id, tx.delete(entity, row_id))


def refuse_too_many(operations: list[Any]) -> None:
    if len(operations) > OPERATIONS_MAX:
        raise PylonError("PAYLOAD_TOO_LARGE", f"One request takes at most {OPERATIONS_MAX} operations.")


def _malformed(message: str) -> PylonError:
    return PylonError("INVALID_DATA", message)
