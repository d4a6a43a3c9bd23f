"""Arguments by type hints: checked and converted by msgspec, described as validators (contract 07 §7)."""

import copy
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec

from pylon_functions.python.errors import FunctionError

_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_AT = re.compile(r" - at `\$\.?(.*)`\Z")
_MISSING = re.compile(r"Object missing required field `(.*?)`")
_EXPECTED = re.compile(r"Expected `(.*?)`, got `(.*?)`")


def row_id(entity: str) -> msgspec.Meta:
    """Says whose id a text is: ``lot: Annotated[str, row_id("Lot")]``."""
    return msgspec.Meta(extra={"entity": entity})


class Arguments:
    """The parameters of a handler behind its ``ctx``. Raises TypeError for a signature that names cannot fill."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(handler).parameters.values())
        if not parameters or parameters[0].kind not in (_POSITIONAL_ONLY, _POSITIONAL):
            raise TypeError("its first parameter must be the context")
        self._context = parameters[0].name
        hints = _hints(handler, parameters[1:])
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        self._takes_rest = False
        for parameter in parameters[1:]:
            hint = hints.get(parameter.name, Any)
            if parameter.kind is parameter.VAR_KEYWORD:
                self._takes_rest = True
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise TypeError(f"the parameter {parameter.name!r} cannot be given by name")
            elif parameter.default is parameter.empty:
                fields.append((parameter.name, hint))
            else:
                # Each call has a default of its own: what one leaves in a list is no business of the next.
                fresh = partial(copy.deepcopy, parameter.default)
                fields.append((parameter.name, hint, msgspec.field(default_factory=fresh)))
        self._struct = msgspec.defstruct("Arguments", fields, kw_only=True)
        self._names = tuple(field[0] for field in fields)
        self._decoder = msgspec.json.Decoder(self._struct)

    def read(self, text: bytes) -> dict[str, Any]:
        """The arguments by name. Raises ``FunctionError`` INVALID_ARGS."""
        try:
            checked = self._decoder.decode(text)
            given = {name: getattr(checked, name) for name in self._names}
            return {**self._rest(text), **given} if self._takes_rest else given
        except RecursionError:
            raise FunctionError("INVALID_ARGS", "args nest too deeply") from None
        except (msgspec.DecodeError, UnicodeError) as error:
            raise FunctionError("INVALID_ARGS", self._explain(str(error))) from None

    def _rest(self, text: bytes) -> dict[str, Any]:
        """All that was sent, but for what would be taken for the context."""
        sent: dict[str, Any] = msgspec.json.decode(text)
        sent.pop(self._context, None)
        return sent

    def schema(self) -> Mapping[str, Any] | None:
        """As validators, by name; ``None`` when the handler declares no parameters."""
        described = msgspec.inspect.type_info(self._struct)
        assert isinstance(described, msgspec.inspect.StructType)
        return {field.name: _field(field) for field in described.fields} or None

    def _explain(self, problem: str) -> str:
        if missing := _MISSING.match(problem):
            where = _AT.search(problem)
            if where is not None:
                return f"{where[1]}.{missing[1]}: required field missing"
            kind = (self.schema() or {}).get(missing[1], {}).get("type", "any")
            return f'Missing required field "{missing[1]}" (type: {kind})'
        where = _AT.search(problem)
        if where is None:
            return "args must be an object"
        what = _AT.sub("", problem)
        if found := _EXPECTED.match(what):
            what = f"expected {_plain(found[1])}, got {_plain(found[2])}"
        return f"{where[1]}: {what}"


def _hints(handler: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
    """What the parameters are annotated with. Nothing else is looked at: authors may import the type of ``ctx``
    for type checkers only."""
    given = {each.name: each.annotation for each in parameters if each.annotation is not each.empty}
    names = getattr(inspect.unwrap(handler), "__globals__", {})
    return typing.get_type_hints(SimpleNamespace(__annotations__=given), names, include_extras=True)


def _plain(kind: str) -> str:
    names = {"str": "string", "float": "number", "bool": "boolean"}
    return " or ".join(names.get(part.strip(), part.strip()) for part in kind.split("|"))


def _field(field: "msgspec.inspect.Field") -> dict[str, Any]:
    described = describe(field.type)
    return described if field.required else {**described, "optional": True}


def describe(kind: "msgspec.inspect.Type") -> dict[str, Any]:
    """A type as the validator that stands for it; what has none is ``any``."""
    match kind:
        case msgspec.inspect.Metadata(type=inner, extra=extra):
            entity = (extra or {}).get("entity")
            return describe(inner) if entity is None else {"type": "id", "table": entity}
        case (
            msgspec.inspect.StrType()
            | msgspec.inspect.BytesType()
            | msgspec.inspect.DateTimeType()
            | msgspec.inspect.DateType()
            | msgspec.inspect.TimeType()
            | msgspec.inspect.TimeDeltaType()
            | msgspec.inspect.UUIDType()
        ):
            return {"type": "string"}
        case msgspec.inspect.BoolType():
            return {"type": "boolean"}
        case msgspec.inspect.IntType():
            return {"type": "int"}
        case msgspec.inspect.FloatType():
            return {"type": "number"}
        case msgspec.inspect.NoneType():
            return {"type": "null"}
        case (
            msgspec.inspect.ListType(item_type=item)
            | msgspec.inspect.VarTupleType(item_type=item)
            | msgspec.inspect.SetType(item_type=item)
            | msgspec.inspect.FrozenSetType(item_type=item)
        ):
            return {"type": "array", "items": describe(item)}
        case msgspec.inspect.LiteralType(values=values):
            return _union([{"type": "literal", "value": value} for value in values])
        case msgspec.inspect.EnumType(cls=members):
            return _union([{"type": "literal", "value": member.value} for member in members])
        case msgspec.inspect.UnionType(types=types):
            return _union([describe(each) for each in types])
        case (
            msgspec.inspect.StructType(fields=fields)
            | msgspec.inspect.DataclassType(fields=fields)
            | msgspec.inspect.TypedDictType(fields=fields)
        ):
            return {"type": "object", "fields": {each.encode_name: _field(each) for each in fields}}
        case _:
            return {"type": "any"}


def _union(variants: list[dict[str, Any]]) -> dict[str, Any]:
    return variants[0] if len(variants) == 1 else {"type": "union", "variants": variants}
