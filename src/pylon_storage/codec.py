"""Rows between JSON and columns: what a field accepts, what a column gives back (contract 12 §4).

One codec per entity, built when the store opens; pure, so any thread may use it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pylon_core.manifest import EntityDef, FieldDef, FieldKind
from pylon_http import DataError, Row
from pylon_storage import sql

_INT64 = range(-(2**63), 2**63)
_RESERVED_CRDT = frozenset({"counter", "list", "movable-list", "tree"})


class _WrongTypeError(Exception):
    """The value does not fit; the message says what would."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _WrongTypeError("expected a string")
    return value


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise _WrongTypeError("expected an integer")
    if value not in _INT64:
        raise _WrongTypeError("expected an integer of at most 64 bits")
    return value


def _number(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _WrongTypeError("expected a number")
    try:
        return float(value) + 0.0  # SQLite has no negative zero; what is answered is what is stored
    except OverflowError:
        raise _WrongTypeError("expected a number that fits a double") from None


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    raise _WrongTypeError("expected true or false")


def _unsupported(_value: Any) -> Any:
    raise _WrongTypeError("this kind of collaborative field cannot be written yet")


_ACCEPT: Mapping[FieldKind, Callable[[Any], Any]] = {
    FieldKind.STRING: _text,
    FieldKind.RICHTEXT: _text,
    FieldKind.DATETIME: _text,
    FieldKind.ID: _text,
    FieldKind.INT: _integer,
    FieldKind.FLOAT: _number,
    FieldKind.BOOL: _boolean,
}


def _acceptor(field: FieldDef) -> Callable[[Any], Any]:
    if field.crdt in _RESERVED_CRDT or field.kind is None:
        return _unsupported
    return _ACCEPT[field.kind]


class EntityCodec:
    """Checks payloads of one entity and decodes its rows; holds the statements that never change."""

    def __init__(self, entity: EntityDef) -> None:
        self.entity = entity.name
        self.columns = ("id", *(field.name for field in entity.fields))
        self._known = frozenset(self.columns)
        self._accept = {field.name: _acceptor(field) for field in entity.fields}
        self._required = tuple(field.name for field in entity.fields if not field.optional)
        self._optional = frozenset(field.name for field in entity.fields if field.optional)
        self._bools = tuple(field.name for field in entity.fields if field.kind is FieldKind.BOOL)
        self._blank: Row = dict.fromkeys(self.columns)
        self._type_error = "CRDT_APPLY_FAILED" if entity.crdt else "INVALID_DATA"
        marks = ", ".join("?" * len(self.columns))
        names = ", ".join(map(sql.quote, self.columns))
        self.insert_sql = f"INSERT INTO {sql.quote(self.entity)} ({names}) VALUES ({marks})"
        self.select_sql = sql.select(self.entity, self.columns)
        self.get_sql = f'{self.select_sql} WHERE "id" = ?'
        self.delete_sql = f'DELETE FROM {sql.quote(self.entity)} WHERE "id" = ?'

    def update_sql(self, fields: Iterable[str]) -> str:
        assignments = ", ".join(f"{sql.quote(field)} = ?" for field in fields)
        return f'UPDATE {sql.quote(self.entity)} SET {assignments} WHERE "id" = ?'

    def new_row(self, data: Mapping[str, Any], row_id: str) -> Row:
        """The whole row a payload makes. Raises INVALID_COLUMN, INSERT_FAILED or the entity's type error."""
        row = self._blank.copy()
        row.update(self._checked(data))
        row["id"] = row_id
        for field in self._required:
            if row[field] is None:
                raise DataError("INSERT_FAILED", f"{self.entity}.{field} is required.")
        return row

    def patch(self, data: Mapping[str, Any]) -> Row:
        """The fields a payload changes. Raises INVALID_COLUMN, UPDATE_FAILED or the entity's type error."""
        values = self._checked(data)
        for field, value in values.items():
            if value is None and field not in self._optional:
                raise DataError("UPDATE_FAILED", f"{self.entity}.{field} is required and cannot be null.")
        return values

    def decode(self, values: tuple[Any, ...]) -> Row:
        row = dict(zip(self.columns, values, strict=True))
        for field in self._bools:
            if row[field] is not None:
                row[field] = row[field] != 0
        return row

    def check_column(self, name: str) -> None:
        if name not in self._known:
            raise DataError(
                "INVALID_COLUMN",
                f"{self.entity} has no field {name!r}. Its fields are: {', '.join(self.columns)}.",
            )

    def _checked(self, data: Mapping[str, Any]) -> Row:
        values: Row = {}
        for field, value in data.items():
            accept = self._accept.get(field)
            if accept is None:
                if field != "id":
                    self.check_column(field)
                continue
            try:
                values[field] = None if value is None else accept(value)
            except _WrongTypeError as problem:
                raise DataError(self._type_error, f"{self.entity}.{field}: {problem}.") from None
        return values
