"""The text index of one entity, as far as the engines agree; ``fts5`` and ``tsvector`` keep and ask it.

Immutable and without a connection, so any thread may share it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from pylon_core.manifest import EntityDef, SearchDef
from pylon_http import Row
from pylon_storage.catalog import TextIndex
from pylon_storage.fragment import Fragment
from pylon_storage.search.entry import Entry, make_entry
from pylon_storage.search.nothing import NoTextIndex
from pylon_storage.search.query import Query, parse_query
from pylon_storage.search.tokens import Analyzer
from pylon_storage.statements import Statements

FIELD_WEIGHTS = (1.0, 0.4, 0.2, 0.1)
"""How much a match counts, from the first text field to the fourth and every one after it."""

_EVERY_ROW = Fragment("1 = 1")
_UNRANKED = Fragment("(SELECT 0)")


class StoredTextIndex(ABC):
    def __init__(self, entity: str, search: SearchDef) -> None:
        self.entity = entity
        self.fields = search.text
        self._analyzer = Analyzer(search.language)

    @property
    def fingerprint(self) -> str:
        """What it is built for: one that was built for anything else must be built anew."""
        return f"{self._analyzer.fingerprint} {' '.join(map(repr, self.fields))}"

    def add(self, statements: Statements, row: Row) -> None:
        self.add_all(statements, [row])

    def add_all(self, statements: Statements, rows: Sequence[Row]) -> None:
        """Of each row ``id`` and the text fields are looked at."""
        self._put(statements, [(row["id"], self._entry(row)) for row in rows])

    def replace(self, statements: Statements, row: Row, changed: Row) -> None:
        if any(field in changed for field in self.fields):
            self.add(statements, row)

    def matching(self, search: str, /) -> Fragment:
        query = parse_query(search, self._analyzer)
        return _EVERY_ROW if query.is_blank else self._matching(query)

    def relevance(self, search: str, /) -> Fragment:
        query = parse_query(search, self._analyzer)
        return self._relevance(query) if query.required else _UNRANKED

    def _entry(self, row: Row) -> Entry:
        return make_entry(self._analyzer, [row[field] for field in self.fields])

    @abstractmethod
    def create(self, statements: Statements) -> None:
        """Its tables, empty."""

    @abstractmethod
    def drop(self, statements: Statements) -> None:
        """Its tables, if there are any."""

    @abstractmethod
    def remove(self, statements: Statements, row_id: str) -> None: ...

    @abstractmethod
    def _put(self, statements: Statements, entries: Sequence[tuple[str, Entry]]) -> None:
        """By row id, in place of what there may be of the rows."""

    @abstractmethod
    def _matching(self, query: Query) -> Fragment: ...

    @abstractmethod
    def _relevance(self, query: Query) -> Fragment: ...


MakeIndex = Callable[[str, SearchDef], StoredTextIndex]
"""An engine's class of index."""


def text_index(make: MakeIndex, entity: EntityDef) -> TextIndex:
    """The index of an entity, which may have no text to search."""
    if entity.search is None or not entity.search.text:
        return NoTextIndex(entity.name)
    return make(entity.name, entity.search)
