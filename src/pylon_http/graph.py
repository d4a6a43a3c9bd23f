"""What ``POST /api/query`` and ``ctx.db.queryGraph`` ask for: rows, and the rows they are related to (contract 01
§7, 12 §9). Pure."""

from typing import Any

import msgspec

from pylon_core.manifest import AppManifest, RelationDef
from pylon_http.documents import malformed, whole_number
from pylon_http.errors import DataError
from pylon_http.filters import parse_filter
from pylon_http.relations import find_relation, holds_ids
from pylon_http.rows import Filter

LEVELS_MAX = 5
"""How deep includes nest below the rows at the top."""
SELECTIONS_MAX = 50
"""Entities at the top and includes of one graph, as each is a statement."""


class Selection(msgspec.Struct, frozen=True):
    """Rows of one entity, and what to show with each. Below the top ``rows`` bounds them for each row above."""

    entity: str
    rows: Filter
    includes: tuple["Include", ...] = ()


class Include(msgspec.Struct, frozen=True):
    """``joins`` is false for a relation over a field that can hold no ids: it leads nowhere."""

    relation: RelationDef
    targets: Selection
    joins: bool = True


def parse_graph(document: object, manifest: AppManifest) -> tuple[Selection, ...]:
    """The selections of a graph in the order written.

    Raises DataError INVALID_QUERY, ENTITY_NOT_FOUND, RELATION_NOT_FOUND.
    """
    if not isinstance(document, dict) or not document:
        raise malformed("A graph must be an object of entities, each with what is wanted of it.")
    parser = _Parser(manifest)
    return tuple(parser.top(entity, wanted) for entity, wanted in document.items())


class _Parser:
    """Counts the selections of one graph."""

    def __init__(self, manifest: AppManifest) -> None:
        self._manifest = manifest
        self._left = SELECTIONS_MAX

    def top(self, entity: str, wanted: Any) -> Selection:
        if self._manifest.entity(entity) is None:
            raise DataError("ENTITY_NOT_FOUND", f"There is no entity {entity!r}.")
        members = self._members(entity, wanted)
        rows, limit = _rows(members)
        limits = [bound for bound in (rows.limit, limit) if bound is not None]
        rows = msgspec.structs.replace(rows, limit=min(limits, default=None))
        return Selection(entity, rows, self._includes(entity, members, 0))

    def _includes(self, entity: str, members: dict[str, Any], level: int) -> tuple[Include, ...]:
        included = members.get("include")
        if included is None or included == {}:
            return ()
        if not isinstance(included, dict):
            raise malformed("include must be an object of relations.")
        if level == LEVELS_MAX:
            raise malformed(f"Includes nest at most {LEVELS_MAX} levels deep.")
        return tuple(self._include(entity, name, wanted, level + 1) for name, wanted in included.items())

    def _include(self, entity: str, name: str, wanted: Any, level: int) -> Include:
        relation = find_relation(self._manifest, entity, name)
        members = self._members(name, {} if wanted is True else wanted)
        rows, limit = _rows(members)
        if rows.offset:
            raise malformed(f"An include takes no $offset; {name} has one.")
        limits = [bound for bound in (rows.limit, limit) if bound is not None]
        each = (relation.field if relation.many else "id", min(limits)) if limits else None
        rows = msgspec.structs.replace(rows, limit=None, limit_per=each)
        targets = Selection(relation.target, rows, self._includes(relation.target, members, level))
        return Include(relation, targets, joins=holds_ids(self._manifest, entity, relation))

    def _members(self, name: str, wanted: Any) -> dict[str, Any]:
        self._left -= 1
        if self._left < 0:
            raise malformed(f"A graph has at most {SELECTIONS_MAX} entities and includes.")
        if not isinstance(wanted, dict):
            raise malformed(f"What is wanted of {name} must be an object.")
        if unknown := sorted(wanted.keys() - _MEMBERS):
            raise malformed(f"{unknown[0]!r} is not part of a graph; {name} may have where, include and limit.")
        return wanted


_MEMBERS = frozenset({"where", "include", "limit"})


def _rows(members: dict[str, Any]) -> tuple[Filter, int | None]:
    where = members.get("where")
    return parse_filter({} if where is None else where), whole_number("limit", members.get("limit"))
