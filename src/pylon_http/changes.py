"""A change event: one committed change of one row, as the change log keeps it."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec


class ChangeKind(enum.StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class ChangeEvent(msgspec.Struct, frozen=True):
    """One entry of the change log (design §3.3, contract 05 §2).

    ``row`` is the complete post-image with ``id`` and declared types; ``None`` for a delete. ``before`` holds
    the fields of the pre-image that read policies look at; ``None`` when they did not change (then ``row``
    tells) and for an insert. ``timestamp_ms`` is milliseconds since the Unix epoch. ``delta`` is what
    the change added to the row's collaborative document, if it has one.
    """

    seq: int
    entity: str
    row_id: str
    kind: ChangeKind
    row: Mapping[str, Any] | None
    before: Mapping[str, Any] | None
    timestamp_ms: int
    delta: bytes | None = None
