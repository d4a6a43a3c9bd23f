"""Rows between JSON and columns: what a field accepts, what a column gives back (contract 12 §4).

One codec per entity and dialect, built when the store opens; pure, so any thread may use it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pylon_core import jsontext
from pylon_core.datetimes import parse_instant
from pylon_core.errors import PylonError
from pylon_core.manifest import EntityDef, FieldDef, FieldKind
from pylon_http import DataError, Row
from pylon_http.errors import unknown_field
from pylon_http.where import Scalar
from pylon_storage import sql
from pylon_storage.dialect import Dialect

_INT64 = range(-(2**63), 2**63)


class _WrongTypeError(Exception):
    """The value does not fit; the message says what would."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _WrongTypeError("expected a string")
    if "\0" in value:  # Postgres cannot hold it, and SQLite's functions end there
        raise _WrongTypeError("expected a string without NUL characters")
    return value


def _instant(value: Any) -> str:
    try:
        return parse_instant(_text(value))
    except ValueError:
        raise _WrongTypeError(
            "expected a date and time with its offset from UTC, such as 2026-05-02T22:22:53Z"
        ) from None


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
        number = float(value) + 0.0  # SQLite has no negative zero; what is answered is what is stored
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _WrongTypeError("expected a number that fits a double")
    return number


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    raise _WrongTypeError("expected true or false")


def _unsupported(_value: Any) -> Any:
    raise _WrongTypeError("no value fits a field of this type")


def _items(accept: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def accept_items(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _WrongTypeError("expected an array")
        return [accept(item) for item in value]

    return accept_items


def _node(value: Any) -> dict[str, Any]:
    """A node of a tree as a document is read: who made it is no client."""
    if type(value) is not dict or value.keys() != {"id", "parent", "index", "meta"}:
        raise _WrongTypeError("expected a node with id, parent, index and meta")
    return value


_ACCEPT: Mapping[FieldKind, Callable[[Any], Any]] = {
    FieldKind.STRING: _text,
    FieldKind.RICHTEXT: _text,
    FieldKind.DATETIME: _instant,
    FieldKind.ID: _text,
    FieldKind.INT: _integer,
    FieldKind.FLOAT: _number,
    FieldKind.BOOL: _boolean,
}


def _acceptor(field: FieldDef) -> Callable[[Any], Any]:
    if field.crdt == "tree":
        return _items(_node)
    accept = _unsupported if field.kind is None else _ACCEPT[field.kind]
    return _items(accept) if field.is_collection else accept


def _array_to_column(value: list[Any]) -> str:
    return jsontext.encode(value).decode()


def _array_from_column(text: str) -> list[Any]:
    """The text of a field that held no arrays once is an array of that."""
    try:
        value = jsontext.decode(text)
    except PylonError:
        return [text]
    return value if isinstance(value, list) else [text]


class EntityCodec:
    """Checks payloads of one entity and decodes its rows; holds the statements that never change."""

    def __init__(self, entity: EntityDef, dialect: Dialect) -> None:
        self.entity = entity.name
        self.dialect = dialect
        self.columns = ("id", *(field.name for field in entity.fields))
        self._kinds = {"id": FieldKind.ID, **{f.name: f.kind or FieldKind.STRING for f in entity.fields}}
        self._accept = {field.name: _acceptor(field) for field in entity.fields}
        self._required = tuple(field.name for field in entity.fields if not field.optional)
        self._optional = frozenset(field.name for field in entity.fields if field.optional)
        self._collections = frozenset(field.name for field in entity.fields if field.is_collection)
        self._trees = tuple(field.name for field in entity.fields if field.crdt == "tree")
        self._to_column = self._converters(dialect.to_column, _array_to_column)
        self._from_column = self._converters(dialect.from_column, _array_from_column)
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
        self._refuse_trees(row)
        return row

    def patch(self, data: Mapping[str, Any]) -> Row:
        """The fields a payload changes. Raises INVALID_COLUMN, UPDATE_FAILED or the entity's type error."""
        values = self._checked(data)
        for field, value in values.items():
            if value is None and field not in self._optional:
                raise DataError("UPDATE_FAILED", f"{self.entity}.{field} is required and cannot be null.")
        return values

    def changes(self, row: Row, wanted: Row) -> Row:
        """Those fields of a patch that make the row another. Raises the entity's type error."""
        changed = {field: value for field, value in wanted.items() if value != row[field]}
        self._refuse_trees(changed)
        return changed

    def accepted(self, field: str, value: Any) -> Any:
        """What the field holds for a value of a document. Raises CRDT_APPLY_FAILED for one that it cannot."""
        if value is None:
            if field not in self._optional:
                raise DataError("CRDT_APPLY_FAILED", f"{self.entity}.{field} is required and cannot be null.")
            return None
        try:
            return self._accept[field](value)
        except _WrongTypeError as problem:
            raise DataError("CRDT_APPLY_FAILED", f"{self.entity}.{field}: {problem}.") from None

    def encode(self, values: Row) -> list[Any]:
        """Checked values as parameters, in their order."""
        if not self._to_column:
            return list(values.values())
        return [
            value if value is None or field not in self._to_column else self._to_column[field](value)
            for field, value in values.items()
        ]

    def decode(self, values: Sequence[Any]) -> Row:
        """A row from what ``select_sql`` gave."""
        row = dict(zip(self.columns, values, strict=True))
        for field, convert in self._from_column.items():
            value = row[field]
            if value is not None:
                row[field] = convert(value)
        return row

    def kind(self, field: str) -> FieldKind:
        """What a value of the field is to be compared as. Raises INVALID_COLUMN for a name that is not a field,
        INVALID_QUERY for a field with arrays, which compare with nothing."""
        self.check_known(field)
        if field in self._collections:
            raise DataError(
                "INVALID_QUERY",
                f"{self.entity}.{field} holds arrays: it can only be asked whether it has a value.",
                hint="Use $exists, or compare it with null.",
            )
        return self._kinds[field]

    def check_known(self, field: str) -> None:
        """Raises INVALID_COLUMN for a name that is not a field."""
        if field not in self._kinds:
            raise unknown_field(self.entity, field)

    def is_nullable(self, field: str) -> bool:
        """Whether the manifest allows null there. Raises what ``kind`` raises."""
        self.kind(field)
        return field in self._optional

    def operand(self, field: str, value: Scalar) -> Any:
        """A value to compare the field with, as a parameter. Raises INVALID_COLUMN, and INVALID_QUERY for one that
        no value of the field could equal, such as text for a number."""
        kind = self.kind(field)
        if kind in (FieldKind.INT, FieldKind.FLOAT) and isinstance(value, int | float) and type(value) is not bool:
            return self.dialect.number(value) if kind is FieldKind.INT else _nearest_double(value)
        try:
            accepted = _ACCEPT[kind](value)
        except _WrongTypeError as problem:
            raise DataError("INVALID_QUERY", f"{self.entity}.{field}: {problem}.") from None
        convert = self.dialect.to_column.get(kind)
        return accepted if convert is None else convert(accepted)

    def spelled(self, field: str, text: str) -> Scalar | None:
        """The value of the field that a text spells, as in a URL; ``None`` when it spells none."""
        match self.kind(field):
            case FieldKind.INT | FieldKind.FLOAT:
                return _spelled_number(text)
            case FieldKind.BOOL:
                return {"true": True, "1": True, "false": False, "0": False}.get(text)
            case FieldKind.DATETIME:
                try:
                    return parse_instant(text)
                except ValueError:
                    return None
            case _:
                return None if "\0" in text else text

    def _converters(
        self, by_kind: Mapping[FieldKind, Callable[[Any], Any]], of_array: Callable[[Any], Any]
    ) -> dict[str, Callable[[Any], Any]]:
        scalars = {field: by_kind[kind] for field, kind in self._kinds.items() if kind in by_kind}
        return scalars | dict.fromkeys(self._collections, of_array)

    def _refuse_trees(self, changed: Row) -> None:
        """Where its nodes are and come to be is for the document of a row: JSON may empty a tree, and no more."""
        for field in self._trees:
            if changed.get(field):
                raise DataError(
                    self._type_error,
                    f"{self.entity}.{field}: a tree is changed in the row's document only.",
                    hint="Post an update of the document to /api/crdt, or set the field to [].",
                )

    def _checked(self, data: Mapping[str, Any]) -> Row:
        values: Row = {}
        for field, value in data.items():
            accept = self._accept.get(field)
            if accept is None:
                if field != "id":
                    raise unknown_field(self.entity, field)
                continue
            try:
                values[field] = None if value is None else accept(value)
            except _WrongTypeError as problem:
                raise DataError(self._type_error, f"{self.entity}.{field}: {problem}.") from None
        return values


def _nearest_double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _spelled_number(text: str) -> int | float | None:
    """A JSON number."""
    try:
        value = jsontext.decode(text)
    except PylonError:
        return None
    return value if type(value) in (int, float) else None
