"""Arguments by type hints: checked and converted by msgspec, described as validators (contract 07 §7)."""

import copy
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec

from pylon_functions.python.descriptions import taken
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
        hints = resolved(
            handler, {each.name: each.annotation for each in parameters[1:] if each.annotation is not each.empty}
        )
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
        return taken(self._struct) or None

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


def resolved(handler: Callable[..., Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a handler's annotations as types. No others are looked at: authors may import the type of ``ctx``
    for type checkers only."""
    names = getattr(inspect.unwrap(handler), "__globals__", {})
    return typing.get_type_hints(SimpleNamespace(__annotations__=dict(annotations)), names, include_extras=True)


def _plain(kind: str) -> str:
    names = {"str": "string", "float": "number", "bool": "boolean"}
    return " or ".join(names.get(part.strip(), part.strip()) for part in kind.split("|"))
