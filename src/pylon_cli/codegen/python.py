"""The Python client: one file on the standard library, for Python 3.11 and up, clean under ``mypy --strict``.

Rows and arguments are ``TypedDict``; what every client has alike is ``python_runtime``. Pure.
"""

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pylon_cli.codegen import python_runtime as runtime
from pylon_cli.codegen.error_codes import ERROR_CODES
from pylon_cli.codegen.model import ClientModel, Entity, Operation
from pylon_cli.codegen.names import Scope, Spelling, capitalised, quoted, words
from pylon_cli.codegen.shapes import Array, Literal, Member, Object, Record, Scalar, Shape, Union
from pylon_cli.codegen.type_names import TypeNames, name_types

_SPELLING = Spelling(frozenset(keyword.kwlist))
_TAKEN = words(
    # what the file declares
    "DEFAULT_BASE_URL TIMEOUT_S Row New Patch ErrorCode PylonError PylonClient ActionResult EntityRows Entities"
    " Actions Functions"
    # what it uses
    " builtins json urllib quote Any Generic Literal Never NotRequired TypeAlias TypedDict TypeVar Unpack"
    " Exception ValueError bool bytes dict float int isinstance list object self str super transport"
)
_ID = Member("id", Scalar.TEXT, optional=False)


def python(model: ClientModel) -> str:
    scope = Scope(_SPELLING, _TAKEN)
    names = name_types(model, scope)
    types = _Types(scope)
    rows = [_declare_entity(entity, names, scope, types) for entity in model.entities]
    for operation, name in names.inputs.items():
        types.declare(name, operation.input or ())
    for function, shape in model.outputs.items():
        types.define(names.outputs[function], shape)
    blocks = [
        runtime.HEADER,
        *types.declarations,
        _error_codes(),
        runtime.TRANSPORT,
        runtime.ENTITY_ROWS,
        _entities(rows),
        _operations(runtime.FUNCTIONS, model.functions, names, names.outputs, "Any"),
        _operations(runtime.ACTIONS, model.actions, names, {}, "ActionResult"),
        runtime.CLIENT,
    ]
    return "\n\n\n".join(blocks) + "\n"


# Types


class _Types:
    """The ``TypedDict`` declarations of the file in an order in which each only names those before it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.declarations: list[str] = []

    def declare(self, name: str, members: Iterable[Member], *, whole: bool = False) -> None:
        """``whole``: every member is there, also one that may be left out where it is sent."""
        entries = {
            member.name: f"NotRequired[{type_}]" if member.optional and not whole else type_
            for member, type_ in ((member, self._of(member, name)) for member in members)
        }
        write = _class if all(map(_is_attribute, entries)) else _call
        self.declarations.append(write(name, entries))

    def define(self, name: str, shape: Shape) -> None:
        """A shape that has a name of its own."""
        if isinstance(shape, Object) and shape.members:
            self.declare(name, shape.members)
        else:
            self.declarations.append(f"{name}: TypeAlias = {self.spelled(shape, name)}")

    def _of(self, member: Member, owner: str) -> str:
        return self.spelled(member.shape, owner + capitalised(member.name))

    def spelled(self, shape: Shape, name: str) -> str:
        """The type of a shape; an object in it gets a declaration of this ``name``."""
        match shape:
            case Scalar():
                return _SCALARS[shape]
            case Literal(float()):
                return "float"
            case Literal(value):
                return f"Literal[{quoted(value) if isinstance(value, str) else value}]"
            case Array(items):
                return f"list[{self.spelled(items, f'{name}Item')}]"
            case Object(()):
                return "dict[str, Any]"
            case Object(members):
                declared = self._scope.claim(name)
                self.declare(declared, members)
                return declared
            case Record(values):
                return f"dict[str, {self.spelled(values, f'{name}Value')}]"
            case Union(variants):
                return " | ".join(dict.fromkeys(self.spelled(variant, name) for variant in variants)) or "Never"


_SCALARS: Mapping[Scalar, str] = {
    Scalar.TEXT: "str",
    Scalar.INTEGER: "int",
    Scalar.NUMBER: "float",
    Scalar.BOOLEAN: "bool",
    Scalar.NULL: "None",
    Scalar.ANY: "Any",
}


def _is_attribute(name: str) -> bool:
    """Whether it can stand in the body of a class as it is; ``__x`` would be another name there."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def _class(name: str, entries: Mapping[str, str]) -> str:
    lines = "\n".join(f"    {member}: {type_}" for member, type_ in entries.items())
    return f"class {name}(TypedDict):\n{lines or '    pass'}"


def _call(name: str, entries: Mapping[str, str]) -> str:
    lines = "".join(f"        {quoted(member)}: {type_},\n" for member, type_ in entries.items())
    return f"{name} = TypedDict(\n    {quoted(name)},\n    {{\n{lines}    }},\n)"


# Entities


@dataclass(frozen=True)
class _EntityTypes:
    """The types of an entity's rows: as they come, as they are made, as they are changed."""

    entity: str
    row: str
    new: str
    patch: str


def _declare_entity(entity: Entity, names: TypeNames, scope: Scope, types: _Types) -> _EntityTypes:
    row = names.entities[entity.name]
    new, patch = scope.claim(f"New{capitalised(row)}"), scope.claim(f"{row}Patch")
    types.declare(row, (_ID, *entity.fields), whole=True)
    types.declare(new, (replace(_ID, optional=True), *entity.new_fields))
    types.declare(patch, (replace(field, optional=True) for field in entity.fields))
    return _EntityTypes(entity.name, row, new, patch)


def _entities(entities: Iterable[_EntityTypes]) -> str:
    scope = Scope(_SPELLING)
    lines = "\n".join(
        f"        self.{scope.claim_member(types.entity)}: EntityRows[{types.row}, {types.new}, {types.patch}]"
        f" = EntityRows(transport, {quoted(types.entity)})"
        for types in entities
    )
    return runtime.ENTITIES + (lines or "        pass")


# Operations


def _operations(
    head: str, operations: Iterable[Operation], names: TypeNames, outputs: Mapping[str, str], answer: str
) -> str:
    """A class with a method for each; what its signatures name must not be hidden by a method. ``answer`` is the
    type of what nobody says more about."""
    used = {"_call", "_Transport", "ActionResult", "Any", "Unpack", *names.inputs.values(), *outputs.values()}
    scope = Scope(_SPELLING, used)
    return head + "".join(
        f"\n\n    def {scope.claim_member(operation.name)}({_parameters(operation, names)})"
        f" -> {outputs.get(operation.name, answer)}:\n{_body(operation, outputs.get(operation.name))}"
        for operation in operations
    )


def _body(operation: Operation, output: str | None) -> str:
    call = f"self._call({quoted(operation.name)}, {'{}' if operation.input == () else 'input'})"
    if output is None:
        return f"        return {call}"
    return f"        result: {output} = {call}\n        return result"


def _parameters(operation: Operation, names: TypeNames) -> str:
    if operation.input is None:
        return "self, /, **input: Any"
    return f"self, /, **input: Unpack[{names.inputs[operation]}]" if operation.input else "self"


def _error_codes() -> str:
    lines = "".join(f"    {quoted(code)},\n" for code in ERROR_CODES)
    return f"ErrorCode = Literal[\n{lines}]\n{runtime.ERROR_CODE_NOTE}"
