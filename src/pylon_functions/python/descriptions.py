"""Types as the validators that stand for them (contract 07 §7): of what a function takes, and of what it gives.

The two differ where msgspec reads more than it writes. A validator says no more than is so; what has none is
``any``.
"""

import dataclasses
import enum
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

Validator = dict[str, Any]
_Record = inspect.StructType | inspect.DataclassType | inspect.TypedDictType

_TEXTS = (
    inspect.StrType,
    inspect.BytesType,
    inspect.ByteArrayType,
    inspect.MemoryViewType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.TimeDeltaType,
    inspect.UUIDType,
)
_SCALARS: tuple[tuple[type[inspect.Type], str], ...] = (
    *((text, "string") for text in _TEXTS),
    (inspect.BoolType, "boolean"),
    (inspect.IntType, "int"),
    (inspect.FloatType, "number"),
    (inspect.NoneType, "null"),
)


def taken(owner: type[msgspec.Struct]) -> dict[str, Validator]:
    """What the fields of a struct take, by name."""
    described = inspect.type_info(owner)
    assert isinstance(described, inspect.StructType)
    return _Taken().fields(described)


def given(hint: Any) -> Validator:
    """What a value of this type is as JSON. Raises TypeError for what msgspec does not know."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):  # it writes unions that it could not read
        return _union(given(variant) for variant in typing.get_args(hint))
    return _Given().of(inspect.type_info(hint))


class _Descriptions(ABC):
    def __init__(self) -> None:
        self._within: list[Any] = []

    def of(self, kind: inspect.Type) -> Validator:
        for scalar, name in _SCALARS:
            if isinstance(kind, scalar):
                return {"type": name}
        match kind:
            case inspect.Metadata(type=inner, extra=extra):
                entity = (extra or {}).get("entity")
                return self.of(inner) if entity is None else {"type": "id", "table": entity}
            case inspect.LiteralType(values=values):
                return _union({"type": "literal", "value": value} for value in values)
            case inspect.EnumType(cls=members) if issubclass(members, enum.Flag):
                return {"type": "int"}
            case inspect.EnumType(cls=members):
                return _union({"type": "literal", "value": member.value} for member in members)
            case inspect.UnionType(types=variants):
                return _union(self.of(each) for each in variants)
        return self._of_many(kind)

    def _of_many(self, kind: inspect.Type) -> Validator:
        match kind:
            case (
                inspect.ListType(item_type=item)
                | inspect.VarTupleType(item_type=item)
                | inspect.SetType(item_type=item)
                | inspect.FrozenSetType(item_type=item)
            ):
                return {"type": "array", "items": self.of(item)}
            case inspect.TupleType(item_types=items):
                return self._row(items)
            case inspect.NamedTupleType(fields=fields):
                return self._row(field.type for field in fields)
            case inspect.DictType(value_type=values):
                return {"type": "record", "values": self.of(values)}
            case inspect.StructType(array_like=True):
                return {"type": "any"}
            case inspect.StructType() | inspect.DataclassType() | inspect.TypedDictType():
                return self._object(kind)
        return {"type": "any"}

    def fields(self, record: _Record) -> dict[str, Validator]:
        return {
            field.encode_name: self._field(field, is_optional=self.may_be_missing(field, record))
            for field in record.fields
        }

    def _field(self, field: inspect.Field, *, is_optional: bool) -> Validator:
        described = self.of(field.type)
        return {**described, "optional": True} if is_optional else described

    def _row(self, items: Iterable[inspect.Type]) -> Validator:
        return {"type": "array", "items": _union(self.of(item) for item in items)}

    def _object(self, record: _Record) -> Validator:
        """One that has itself in it is ``any`` there."""
        if record.cls in self._within:
            return {"type": "any"}
        self._within.append(record.cls)
        try:
            return {"type": "object", "fields": {**self.tag(record), **self.fields(record)}}
        finally:
            self._within.pop()

    @abstractmethod
    def may_be_missing(self, field: inspect.Field, record: _Record) -> bool: ...

    @abstractmethod
    def tag(self, record: _Record) -> dict[str, Validator]:
        """The member that tells structs of a union apart."""


class _Taken(_Descriptions):
    def may_be_missing(self, field: inspect.Field, _record: _Record) -> bool:
        return not field.required

    def tag(self, record: _Record) -> dict[str, Validator]:
        """Named, so that a client can say it; alone, a struct need not have it."""
        return {name: {**tag, "optional": True} for name, tag in _tag(record).items()}


class _Given(_Descriptions):
    def of(self, kind: inspect.Type) -> Validator:
        return {"type": "string"} if isinstance(kind, inspect.DecimalType) else super().of(kind)

    def may_be_missing(self, field: inspect.Field, record: _Record) -> bool:
        """A default is written out, as a rule."""
        if isinstance(record, inspect.TypedDictType):
            return not field.required
        owner: Any = typing.get_origin(record.cls) or record.cls
        if msgspec.UnsetType in typing.get_args(typing.get_type_hints(owner).get(field.name)):
            return True
        if isinstance(record, inspect.StructType):
            return bool(owner.__struct_config__.omit_defaults) and not field.required
        return any(each.name == field.name and not each.init for each in _dataclass_fields(owner))

    def tag(self, record: _Record) -> dict[str, Validator]:
        return _tag(record)


def _tag(record: _Record) -> dict[str, Validator]:
    if not isinstance(record, inspect.StructType) or record.tag_field is None:
        return {}
    return {record.tag_field: {"type": "literal", "value": record.tag}}


def _dataclass_fields(owner: Any) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ()


def _union(variants: Iterable[Validator]) -> Validator:
    every = list(variants)
    return every[0] if len(every) == 1 else {"type": "union", "variants": every}
