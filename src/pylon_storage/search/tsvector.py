"""The text index in Postgres: a table of tsvectors, made here term by term.

No text search configuration takes part: what they make of a text depends on the server.
"""

from collections import defaultdict
from collections.abc import Sequence

from pylon_core.manifest import SearchDef
from pylon_storage import sql
from pylon_storage.fragment import Fragment
from pylon_storage.search.entry import Entry
from pylon_storage.search.index import FIELD_WEIGHTS, MakeIndex, StoredTextIndex
from pylon_storage.search.query import Phrase, Query
from pylon_storage.statements import Statements

_LABELS = "ABCD"
_WEIGHTS = f"'{{{', '.join(map(str, reversed(FIELD_WEIGHTS)))}}}'"
"""From D to A."""
_DIVIDED_BY_LOG_OF_LENGTH = 1


class TsvectorIndex(StoredTextIndex):
    def __init__(self, entity: str, search: SearchDef) -> None:
        super().__init__(entity, search)
        table = sql.quote(sql.object_name(entity, "fts"))
        gin = sql.quote(sql.object_name(entity, "fts_gin"))
        rank = f"ts_rank({_WEIGHTS}, tsv, CAST(? AS tsquery), {_DIVIDED_BY_LOG_OF_LENGTH})"

        self._create = (
            # nothing of what others write meanwhile may be missed
            f"LOCK TABLE {sql.quote(entity)} IN SHARE MODE",
            f'CREATE TABLE {table} (entity_id TEXT COLLATE "C" PRIMARY KEY, tsv tsvector NOT NULL)',
            f"CREATE INDEX {gin} ON {table} USING gin (tsv)",
        )
        self._drop = f"DROP TABLE IF EXISTS {table}"
        self._replace = (
            f"INSERT INTO {table} (entity_id, tsv)"
            " SELECT entity_id, CAST(kept AS tsvector) FROM unnest(?::text[], ?::text[]) AS rows (entity_id, kept)"
            " ON CONFLICT (entity_id) DO UPDATE SET tsv = excluded.tsv"
        )
        self._delete = f"DELETE FROM {table} WHERE entity_id = ?"
        self._found = f'"id" IN (SELECT entity_id FROM {table} WHERE tsv @@ CAST(? AS tsquery))'
        self._score = f'(SELECT -{rank} FROM {table} WHERE {table}.entity_id = {sql.quote(entity)}."id")'

    def create(self, statements: Statements) -> None:
        for text in self._create:
            statements.all(text)

    def drop(self, statements: Statements) -> None:
        statements.all(self._drop)

    def remove(self, statements: Statements, row_id: str) -> None:
        statements.write(self._delete, (row_id,))

    def _put(self, statements: Statements, entries: Sequence[tuple[str, Entry]]) -> None:
        row_ids = [row_id for row_id, _ in entries]
        statements.write(self._replace, (row_ids, [_tsvector(entry) for _, entry in entries]))

    def _matching(self, query: Query) -> Fragment:
        return Fragment(self._found, (_tsquery(query),))

    def _relevance(self, query: Query) -> Fragment:
        return Fragment(self._score, (_tsquery(query),))


def _tsvector(entry: Entry) -> str:
    places: defaultdict[str, list[str]] = defaultdict(list)
    place = 0
    for number, field in enumerate(entry.fields):
        label = _LABELS[min(number, len(_LABELS) - 1)]
        for term in field:
            place += 1
            if term is not None:
                places[term].append(f"{place}{label}")
        place += 1
    kept = [f"'{term}':{','.join(found)}" for term, found in places.items()]
    return " ".join([*kept, *(f"'{term}'" for term in entry.written)])


def _tsquery(query: Query) -> str:
    wanted = [_any_of(phrases) for phrases in query.required]
    return " & ".join([*wanted, *(f"!{_phrase(phrase)}" for phrase in query.excluded)])


def _any_of(phrases: tuple[Phrase, ...]) -> str:
    return f"({' | '.join(map(_phrase, phrases))})"


def _phrase(phrase: Phrase) -> str:
    """Terms have no quotes in them."""
    terms = " <-> ".join(f"'{term}'" for term in phrase.terms)
    return f"({terms}{':*' if phrase.is_prefix else ''})"


_: MakeIndex = TsvectorIndex
