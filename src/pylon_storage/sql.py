"""SQL text as pure functions: identifiers, tables, filters. No connection is known here.

Text is written once for both engines: identifiers double-quoted, values always bound as ``?``.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pylon_core import jsontext
from pylon_core.manifest import EntityDef, FieldDef, FieldKind, IndexDef
from pylon_http import DataError, Filter

SQLITE_TYPES: Mapping[FieldKind, str] = {
    FieldKind.STRING: "TEXT",
    FieldKind.RICHTEXT: "TEXT",
    FieldKind.DATETIME: "TEXT",
    FieldKind.ID: "TEXT",
    FieldKind.INT: "INTEGER",
    FieldKind.FLOAT: "REAL",
    FieldKind.BOOL: "INTEGER",
}

LIKE_CHARS_MAX = 1_000
"""SQLite takes 50,000 bytes; but the time of a match grows with pattern times text."""

_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def quote(name: str) -> str:
    """An identifier in double quotes."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def create_table(entity: EntityDef) -> str:
    columns = ['"id" TEXT PRIMARY KEY NOT NULL', *(column_definition(field) for field in entity.fields)]
    return f"CREATE TABLE {quote(entity.name)} ({', '.join(columns)})"


def column_definition(field: FieldDef) -> str:
    kind = SQLITE_TYPES[field.kind] if field.kind else "TEXT"
    required = "" if field.optional else " NOT NULL"
    unique = " UNIQUE" if field.unique else ""
    return f"{quote(field.name)} {kind}{required}{unique}"


def add_column(entity: EntityDef, field: FieldDef) -> str:
    """A column for a table that may hold rows already: nullable even when the manifest requires it."""
    kind = SQLITE_TYPES[field.kind] if field.kind else "TEXT"
    return f"ALTER TABLE {quote(entity.name)} ADD COLUMN {quote(field.name)} {kind}"


def create_unique_column_index(entity: EntityDef, field: FieldDef) -> str:
    """What ADD COLUMN cannot say: uniqueness of a column that came later.

    Under the name that the manifest's checks keep free for it; a name that is taken all the same must be an error.
    """
    name = quote(f"{entity.name}_{field.name}_key")
    return f"CREATE UNIQUE INDEX {name} ON {quote(entity.name)} ({quote(field.name)})"


def create_index(entity: EntityDef, index: IndexDef) -> str:
    """An index of the manifest. One that is not unique ends in ``id``, the order of every page: a list of one
    owner's rows is then read off the index instead of being sorted."""
    unique = "UNIQUE " if index.unique else ""
    name = quote(f"{entity.name}_{index.name}")
    columns = ", ".join(quote(field) for field in (*index.fields, *(() if index.unique else ("id",))))
    return f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {quote(entity.name)} ({columns})"


def select(entity: str, columns: Iterable[str]) -> str:
    return f"SELECT {', '.join(quote(column) for column in columns)} FROM {quote(entity)}"


def where_clause(rows: Filter, check_column: Callable[[str], None]) -> tuple[str, list[Any]]:
    """The ``WHERE`` of a filter (with a leading space, or empty) and its parameters.

    ``check_column`` raises DataError INVALID_COLUMN for a name that is not a field. Raises INVALID_QUERY for
    an operator that does not exist.
    """
    terms: list[str] = []
    params: list[Any] = []
    for field, wanted in rows.where.items():
        check_column(field)
        for term, values in _field_terms(quote(field), wanted):
            terms.append(term)
            params.extend(values)
    if rows.condition is not None:
        terms.append(f"({rows.condition.sql})")
        params.extend(rows.condition.params)
    if rows.after is not None:
        terms.append('"id" > ?')
        params.append(rows.after)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), params


def order_clause(rows: Filter, check_column: Callable[[str], None]) -> str:
    """``ORDER BY`` as written, ties broken by id, so that pages never overlap."""
    keys = []
    for field, descending in () if rows.after is not None else rows.order:
        check_column(field)
        keys.append(f"{quote(field)} DESC" if descending else quote(field))
    if not any(field == "id" for field, _ in rows.order) or rows.after is not None:
        keys.append('"id"')
    return f" ORDER BY {', '.join(keys)}"


def limit_clause(rows: Filter) -> str:
    if rows.limit is None:
        return f" LIMIT -1 OFFSET {rows.offset:d}" if rows.offset else ""
    return f" LIMIT {rows.limit:d} OFFSET {rows.offset:d}"


def _field_terms(column: str, wanted: Any) -> Iterable[tuple[str, list[Any]]]:
    if not isinstance(wanted, dict):
        yield _equality(column, wanted, negated=False)
        return
    for operator, operand in wanted.items():
        yield _operator_term(column, operator, operand)


def _operator_term(column: str, operator: str, operand: Any) -> tuple[str, list[Any]]:
    if operator == "$not":
        return _equality(column, operand, negated=True)
    if operator in _COMPARISONS:
        return f"{column} {_COMPARISONS[operator]} ?", [_scalar(operand)]
    if operator == "$like":
        if not isinstance(operand, str):
            raise DataError("INVALID_QUERY", "$like needs a string.")
        if len(operand) > LIKE_CHARS_MAX:
            raise DataError("INVALID_QUERY", f"$like takes at most {LIKE_CHARS_MAX} characters.")
        return f"{column} LIKE ?", [f"%{operand}%"]
    if operator == "$in":
        if not isinstance(operand, list):
            raise DataError("INVALID_QUERY", "$in needs an array.")
        # One parameter however many members, so the statement text stays the same and is prepared once.
        return f"{column} IN (SELECT value FROM json_each(?))", [jsontext.encode(operand).decode()]
    raise DataError("INVALID_QUERY", f"There is no filter operator {operator!r}.")


def _equality(column: str, value: Any, *, negated: bool) -> tuple[str, list[Any]]:
    if value is None:
        return f"{column} IS {'NOT ' if negated else ''}NULL", []
    return f"{column} {'<>' if negated else '='} ?", [_scalar(value)]


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        return jsontext.encode(value).decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _nearest_double(value)
    return value


def _nearest_double(number: int) -> float:
    """Beyond every column's values, so infinity compares like the number itself."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
