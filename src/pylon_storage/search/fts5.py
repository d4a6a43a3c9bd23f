"""The text index in SQLite: an FTS5 table that keeps no text, and the row ids that its numbers stand for.

The numbers are a table's own: those SQLite gives the rows of an entity change when the file is compacted. FTS5's
tokenizer only cuts at spaces here: every ASCII letter and digit, and whatever is not ASCII, belongs to a term. No
statement of a write needs what another one answered, so they may be sent together.
"""

from collections.abc import Sequence
from typing import ClassVar

from pylon_core.manifest import SearchDef
from pylon_storage import sql
from pylon_storage.fragment import Fragment
from pylon_storage.search.entry import Entry, Places
from pylon_storage.search.index import FIELD_WEIGHTS, MakeIndex, StoredTextIndex
from pylon_storage.search.query import WRITTEN_MARK, Phrase, Query
from pylon_storage.search.relevance import RELEVANCE
from pylon_storage.statements import Statements


class Fts5Index(StoredTextIndex):
    rank_function: ClassVar[str] = RELEVANCE
    """Gets the table and a weight for each column; the smaller the better."""

    def __init__(self, entity: str, search: SearchDef) -> None:
        super().__init__(entity, search)
        text, rows = sql.quote(sql.object_name(entity, "fts")), sql.quote(sql.object_name(entity, "fts_docs"))
        # a field's own name may be one that FTS5 keeps for itself
        columns = ", ".join([*(f"c{number}" for number, _ in enumerate(self.fields)), "written"])
        marks = ", ".join("?" * (len(self.fields) + 1))
        weights = [FIELD_WEIGHTS[min(number, len(FIELD_WEIGHTS) - 1)] for number, _ in enumerate(self.fields)]
        score = f"{self.rank_function}({text}, {', '.join(map(str, (*weights, FIELD_WEIGHTS[-1])))})"
        ranked = sql.quote(sql.object_name(entity, "fts_ranked"))
        found = f"FROM {text} JOIN {rows} ON {rows}.docid = {text}.rowid WHERE {text} MATCH ?"

        self._create = (
            f"CREATE TABLE {rows} (docid INTEGER PRIMARY KEY, entity_id TEXT NOT NULL UNIQUE)",
            (
                f"CREATE VIRTUAL TABLE {text} USING fts5"
                f"({columns}, content='', contentless_delete=1, tokenize='ascii')"
            ),
        )
        self._drop = (f"DROP TABLE IF EXISTS {text}", f"DROP TABLE IF EXISTS {rows}")
        self._number = f"INSERT INTO {rows} (entity_id) VALUES (?) ON CONFLICT (entity_id) DO NOTHING"
        self._replace = (
            f"INSERT OR REPLACE INTO {text} (rowid, {columns})"
            f" SELECT docid, {marks} FROM {rows} WHERE entity_id = ?"
        )
        self._delete = (
            f"DELETE FROM {text} WHERE rowid = (SELECT docid FROM {rows} WHERE entity_id = ?)",
            f"DELETE FROM {rows} WHERE entity_id = ?",
        )
        self._found = f"(SELECT {rows}.entity_id {found})"
        # worked out once, however many rows are sorted by it
        self._score = (
            f"(WITH {ranked} AS MATERIALIZED (SELECT {rows}.entity_id AS entity_id, {score} AS score {found})"
            f' SELECT score FROM {ranked} WHERE {ranked}.entity_id = {sql.quote(entity)}."id")'
        )

    def create(self, statements: Statements) -> None:
        for text in self._create:
            statements.all(text)

    def drop(self, statements: Statements) -> None:
        for text in self._drop:
            statements.all(text)

    def remove(self, statements: Statements, row_id: str) -> None:
        for text in self._delete:
            statements.all(text, (row_id,))

    def _put(self, statements: Statements, entries: Sequence[tuple[str, Entry]]) -> None:
        for row_id, entry in entries:
            statements.all(self._number, (row_id,))
            statements.all(self._replace, (*map(stored_text, entry.fields), " ".join(entry.written), row_id))

    def _matching(self, query: Query) -> Fragment:
        if query.required:
            return Fragment(f'"id" IN {self._found}', (_expression(query),))
        return Fragment(f'"id" NOT IN {self._found}', (_any_of(query.excluded),))

    def _relevance(self, query: Query) -> Fragment:
        return Fragment(self._score, (_expression(query),))


def stored_text(places: Places) -> str:
    return " ".join(WRITTEN_MARK if term is None else term for term in places)


def _expression(query: Query) -> str:
    wanted = " AND ".join(map(_any_of, query.required))
    return f"({wanted}) NOT {_any_of(query.excluded)}" if query.excluded else wanted


def _any_of(phrases: tuple[Phrase, ...]) -> str:
    return f"({' OR '.join(map(_phrase, phrases))})"


def _phrase(phrase: Phrase) -> str:
    """Terms have no quotes in them."""
    return f'"{" ".join(phrase.terms)}"{"*" if phrase.is_prefix else ""}'


_: MakeIndex = Fts5Index
