"""One page of a search: a statement for the hits, and one for their total and the counts of facets.

Both have the caller's read condition in them, so nothing is counted that may not be read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pylon_core import jsontext
from pylon_core.manifest import FieldKind, SearchDef
from pylon_http import Condition, DataError, Filter, Row, Search, SearchPage
from pylon_http.rows import ANSWER_CHARS_MAX
from pylon_http.where import EVERYTHING, AllOf, AnyOf, Exists, Matches, Scalar, Where, equal
from pylon_storage import sql
from pylon_storage.catalog import EntityTable
from pylon_storage.fragment import Fragment
from pylon_storage.statements import Statements
from pylon_storage.where import where_clause

FACET_VALUES_MAX = 100

_NOTHING = AnyOf(())
_FOUND = '" found"'
"""No table's name begins with a space."""
_WHOLE_DIGITS_MAX = 2**53
"""Whole numbers from here on a double does not hold one by one."""


def search_page(statements: Statements, table: EntityTable, wanted: Search) -> SearchPage:
    """See ``Reader.search``."""
    search = table.search
    if not (search.text or search.facets or search.sortable):
        raise DataError(
            "SEARCH_NOT_CONFIGURED",
            f"{table.codec.entity} has no search.",
            hint='Give the entity a "search" member that lists its text fields, facets and sortable fields.',
        )
    scope = _Scope(table, wanted)
    order = _order(table, wanted)
    facets = search.facets if wanted.facets is None else [name for name in search.facets if name in wanted.facets]
    hits = _hits(statements, scope, order)
    total, counts = _Counting(scope, facets).run(statements)
    return SearchPage(hits, total, counts)


class _Scope:
    """The rows a search is about: those that text and rule let through, and among them those of the filters."""

    def __init__(self, table: EntityTable, wanted: Search) -> None:
        self.table = table
        self.wanted = wanted
        self._filters = {facet: _facet_filter(table, facet, value) for facet, value in wanted.filters.items()}
        self._text = Matches(wanted.text) if _has_text(table.search, wanted) else EVERYTHING

    def where(self, *, filtered: bool) -> Fragment:
        filters = self._filters.values() if filtered else ()
        return self._clause([self._text, *filters], self.wanted.condition)

    def filters(self, *, of: str | None = None) -> Fragment:
        """The filters alone; for the counts of a facet all but its own, and that there is a value to count."""
        if of is None:
            return self._clause(self._filters.values())
        others = [term for facet, term in self._filters.items() if facet != of]
        return self._clause([*others, Exists(of)])

    def _clause(self, terms: Iterable[Where], condition: Condition | None = None) -> Fragment:
        kept = tuple(term for term in terms if term != EVERYTHING)
        return where_clause(self.table, Filter(where=AllOf(kept), condition=condition))


def _has_text(search: SearchDef, wanted: Search) -> bool:
    """Without text fields there is nothing that a text could narrow."""
    return bool(search.text) and bool(wanted.text.strip())


def _facet_filter(table: EntityTable, facet: str, value: Scalar | None) -> Where:
    """A text also stands for the number, boolean or datetime it spells, as the keys of the counts do."""
    codec = table.codec
    if facet not in table.search.facets:
        raise DataError("INVALID_QUERY", _not_listed(table, facet, "facet", table.search.facets))
    if value is None:
        return _NOTHING
    if isinstance(value, str):
        spelled = codec.spelled(facet, value)
        if spelled is None:
            raise DataError("INVALID_QUERY", f"{codec.entity}.{facet} has no values like this one.")
        value = spelled
    return equal(facet, value)


def _order(table: EntityTable, wanted: Search) -> Fragment:
    """``ORDER BY``; ties go by id, which follows a sort's direction."""
    codec = table.codec
    if wanted.sort is not None:
        field, descending = wanted.sort
        if field not in table.search.sortable:
            raise DataError("INVALID_QUERY", _not_listed(table, field, "sortable field", table.search.sortable))
        key = codec.dialect.sort_key(sql.quote(field), descending=descending, nullable=codec.is_nullable(field))
        return Fragment(f' ORDER BY {key}, "id"{" DESC" if descending else ""}')
    if not _has_text(table.search, wanted):
        return Fragment(' ORDER BY "id"')
    relevance = table.index.relevance(wanted.text)
    return Fragment(f' ORDER BY {relevance.text}, "id"', relevance.params)


def _not_listed(table: EntityTable, name: str, kind: str, listed: Iterable[str]) -> str:
    known = ", ".join(listed) or "none"
    return f"{name!r} is no {kind} of {table.codec.entity}. There are: {known}."


def _hits(statements: Statements, scope: _Scope, order: Fragment) -> list[Row]:
    codec, wanted = scope.table.codec, scope.wanted
    where = scope.where(filtered=True)
    window = codec.dialect.window(wanted.page_size, wanted.page * wanted.page_size)
    text = f"{codec.select_sql}{where.text}{order.text}{window}"
    found = statements.bounded(text, where.params + order.params, ANSWER_CHARS_MAX)
    return [codec.decode(values) for values in found]


class _Counting:
    """One statement for the total and every facet's counts: a query for each over the rows that text and rule let
    through, which are worked out once where there is something to work out.

    The queries have a column for each facet, empty but for their own, so that they fit together whatever the type.
    """

    def __init__(self, scope: _Scope, facets: Sequence[str]) -> None:
        self._scope = scope
        self._facets = facets
        self._columns = tuple(dict.fromkeys([*facets, *scope.wanted.filters]))
        self._entity = sql.quote(scope.table.codec.entity)
        found = scope.where(filtered=False)
        self._source = _FOUND if found.text else self._entity
        listed = ", ".join(map(sql.quote, self._columns)) or "1"
        rows = f"WITH {_FOUND} AS MATERIALIZED (SELECT {listed} FROM {self._entity}{found.text}) "
        self._rows = Fragment(rows if found.text else "", found.params)

    def run(self, statements: Statements) -> tuple[int, Mapping[str, Mapping[str, int]]]:
        queries = [self._total(), *(self._counts(number, facet) for number, facet in enumerate(self._facets, 1))]
        text = self._rows.text + " UNION ALL ".join(query.text for query in queries)
        params = [*self._rows.params, *(param for query in queries for param in query.params)]
        counts: dict[str, dict[str, int]] = {}
        total = 0
        for number, *values, count in statements.all(text, params):
            if number == 0:
                total = int(count)
            else:
                counts.setdefault(self._facets[number - 1], {})[self._spelled(number, values)] = int(count)
        return total, counts

    def _total(self) -> Fragment:
        where = self._scope.filters()
        return Fragment(f"SELECT 0, {self._only(None)}count(*) FROM {self._source}{where.text}", where.params)

    def _counts(self, number: int, facet: str) -> Fragment:
        dialect = self._scope.table.codec.dialect
        column = sql.quote(facet)
        where = self._scope.filters(of=facet)
        key = dialect.sort_key(column, descending=False, nullable=False)
        text = (
            f"SELECT {number}, {self._only(facet)}count(*) FROM {self._source}{where.text} GROUP BY {column}"
            f" ORDER BY count(*) DESC, {key}{dialect.window(FACET_VALUES_MAX, 0)}"
        )
        return Fragment(f"SELECT * FROM ({text}) AS {sql.quote(f' {number}')}", where.params)

    def _only(self, facet: str | None) -> str:
        """The columns of one query, the other facets' empty and of their type."""
        listed = [
            sql.quote(name) if name == facet else f"(SELECT {sql.quote(name)} FROM {self._source} LIMIT 0)"
            for name in self._facets
        ]
        return "".join(f"{column}, " for column in listed)

    def _spelled(self, number: int, values: Sequence[Any]) -> str:
        codec, facet = self._scope.table.codec, self._facets[number - 1]
        kind, value = codec.kind(facet), values[number - 1]
        convert = codec.dialect.from_column.get(kind)
        return _value_text(value if convert is None else convert(value), kind)


def _value_text(value: Any, kind: FieldKind) -> str:
    """A text as it is, anything else in JSON; a whole number has no fraction, as JavaScript writes it."""
    if isinstance(value, str):
        return value
    if kind is FieldKind.FLOAT and value.is_integer() and abs(value) < _WHOLE_DIGITS_MAX:
        value = int(value)
    return jsontext.encode(value).decode()
