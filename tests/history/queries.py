"""What watchers ask for, and what the answer is: an oracle in a few lines that shares nothing with the server.
Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.history.history import Key, Row
from tests.history.model import EVERYBODY, may_read

Direction = Literal["asc", "desc"]
ROWS_MAX = 1000


@dataclass(frozen=True)
class Query:
    """``where``: fields with the values they must have. ``order``: one field, or by id."""

    name: str
    entity: str
    where: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[str, Direction] | None = None
    limit: int = ROWS_MAX

    def live(self) -> dict[str, Any]:
        """As a socket asks for it."""
        order = {} if self.order is None else {"order": dict([self.order])}
        return {"id": self.name, "entity": self.entity, "where": self.where, "limit": self.limit, **order}

    def plain(self) -> dict[str, Any]:
        """As a request asks for it."""
        order = {} if self.order is None else {"$order": dict([self.order])}
        return {**self.where, "$limit": self.limit, **order}

    def answer(self, user: str, rows: Mapping[Key, Row]) -> tuple[list[Row], bool]:
        """What the user is to be shown of these rows, and whether that is all."""
        found = [
            row
            for key, row in rows.items()
            if key[0] == self.entity and may_read(user, key, row) and self._wants(row)
        ]
        found = self._sorted(found)
        return found[: self.limit], len(found) <= self.limit

    def _wants(self, row: Row) -> bool:
        return all(row[name] == value for name, value in self.where.items())

    def _sorted(self, rows: Iterable[Row]) -> list[Row]:
        by_id = sorted(rows, key=lambda row: str(row["id"]))
        if self.order is None:
            return by_id
        name, direction = self.order
        return sorted(by_id, key=lambda row: row[name], reverse=direction == "desc")


QUERIES = (
    Query("latest", "Doc", order=("tag", "desc"), limit=5),
    Query("everybody's", "Doc", {"owner": EVERYBODY}),
    Query("registers", "Register", order=("tag", "asc")),
    Query("top", "Bump", order=("count", "desc"), limit=3),
)
"""Rows come into them and leave by edits, by changing hands, by deletion, and beyond a limit."""
