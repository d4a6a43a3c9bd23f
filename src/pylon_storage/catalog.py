"""What a store knows of its manifest once it is open: per entity a codec, the fields whose values before a change
go into the log, the text index, and what may be searched by. Built once; any thread may share it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from pylon_core.manifest import AppManifest, EntityDef, SearchDef
from pylon_core.secret_fields import secret_fields
from pylon_http import ChangeEvent, DataError, Row
from pylon_storage.codec import EntityCodec
from pylon_storage.crdt.entity_documents import DocumentKeeping, EntityDocuments
from pylon_storage.dialect import Dialect
from pylon_storage.fragment import Fragment
from pylon_storage.statements import Statements


class TextIndex(Protocol):
    """The searchable text of one entity, kept in the transaction of each write.

    An entity without any has an index that keeps nothing and raises SEARCH_NOT_CONFIGURED when asked.
    """

    def add(self, statements: Statements, row: Row) -> None: ...

    def replace(self, statements: Statements, row: Row, changed: Row) -> None:
        """``changed`` are the fields of the row that have another value than before."""

    def remove(self, statements: Statements, row_id: str) -> None: ...

    def matching(self, search: str, /) -> Fragment:
        """A condition on ``"id"``, in parentheses where needed; nothing a user types is an error."""

    def relevance(self, search: str, /) -> Fragment:
        """A sort key, ascending from the best match on, for rows that match."""


@dataclass(frozen=True)
class EntityTable:
    codec: EntityCodec
    watched: frozenset[str]
    index: TextIndex
    search: SearchDef
    documents: EntityDocuments | None
    """``None`` where rows have none."""

    def watched_values(self, row: Row) -> Row:
        """What of a row before a change decides who could read it."""
        return {field: row.get(field) for field in self.watched}


class Catalog:
    """``watched`` names the fields per entity; ``index_of`` makes the text index of one. Without ``keeping`` rows
    have no collaborative documents."""

    def __init__(
        self,
        manifest: AppManifest,
        dialect: Dialect,
        watched: Mapping[str, frozenset[str]],
        index_of: Callable[[EntityDef], TextIndex],
        keeping: DocumentKeeping | None = None,
    ) -> None:
        secrets = secret_fields(manifest)

        def table(entity: EntityDef) -> EntityTable:
            codec = EntityCodec(entity, dialect)
            return EntityTable(
                codec,
                watched.get(entity.name, frozenset()),
                index_of(entity),
                entity.search or SearchDef(),
                None if keeping is None else keeping.of(entity, secrets.get(entity.name, frozenset()), codec),
            )

        self._tables = {entity.name: table(entity) for entity in manifest.entities}

    def table(self, entity: str) -> EntityTable:
        """Raises DataError ENTITY_NOT_FOUND."""
        try:
            return self._tables[entity]
        except KeyError:
            raise DataError("ENTITY_NOT_FOUND", f"There is no entity {entity!r}.") from None

    def current(self, event: ChangeEvent) -> ChangeEvent:
        """A logged event with exactly the fields that its entity has today."""
        table = self._tables.get(event.entity)
        if table is None or event.row is None or event.row.keys() == set(table.codec.columns):
            return event
        row = {column: event.row.get(column) for column in table.codec.columns}
        return msgspec.structs.replace(event, row=row)
