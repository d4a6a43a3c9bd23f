"""The TypeScript client: one file without imports, for pages, servers and the React hooks (contract 08 §8.1).

Types are written here, in the order of the file; what every client has alike is ``typescript_runtime``. Pure.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from pylon_cli.codegen import typescript_runtime as runtime
from pylon_cli.codegen.error_codes import ERROR_CODES
from pylon_cli.codegen.model import ClientModel, Operation
from pylon_cli.codegen.names import Scope, Spelling, quoted, words
from pylon_cli.codegen.shapes import Array, Literal, Member, Object, Record, Scalar, Shape, Union
from pylon_cli.codegen.type_names import TypeNames, name_types

_SPELLING = Spelling(
    words(
        "any as async await bigint boolean break case catch class const continue debugger default delete do else"
        " enum export extends false finally for function if implements import in instanceof interface intrinsic"
        " let never new null number object package private protected public return static string super switch"
        " symbol this throw true try type typeof undefined unknown var void while with yield"
    )
)
_TAKEN = words(
    # what the file declares
    "EntityName ENTITIES QueryName QUERIES ActionName ACTIONS FunctionName FUNCTIONS DEFAULT_BASE_URL request"
    " requestError PylonRequestError RoomPeer RoomSnapshot RoomClient createRooms AgentDBClient PylonClient"
    " ActionResult Actions createClient createServerClient prefetch prefetchOne Entities NewRows Functions Queries"
    " Searches AppSchema AgentDBErrorCode AgentDBError PylonErrorCode PylonError Arrived Output Optional"
    " FunctionArguments"
    # what it uses
    " Array Awaited Error Exclude Extract JSON Omit Partial Pick Promise Record RequestInit encodeURIComponent"
    " fetch globalThis"
)


def typescript(model: ClientModel) -> str:
    names = name_types(model, Scope(_SPELLING, _TAKEN))
    written: set[str] = set()
    blocks = [
        runtime.HEADER,
        _name_list("EntityName", "ENTITIES", (entity.name for entity in model.entities)),
        *(_interface(names.entities[entity.name], (_ID, *entity.fields)) for entity in model.entities),
        _name_list("QueryName", "QUERIES", (query.name for query in model.queries)),
        *_inputs(model.queries, names, written),
        _name_list("ActionName", "ACTIONS", (action.name for action in model.actions)),
        *_inputs(model.actions, names, written),
        _name_list("FunctionName", "FUNCTIONS", (function.name for function in model.functions)),
        *_inputs(model.functions, names, written),
        *(_declared(names.outputs[name], shape) for name, shape in model.outputs.items()),
        runtime.REQUEST,
        runtime.ROOMS,
        runtime.CLIENT,
        _actions(model, names),
        _create_client(model),
        runtime.HELPERS,
        *_schema(model, names),
        _errors(),
    ]
    return "\n\n".join(blocks) + "\n"


_ID = Member("id", Scalar.TEXT, optional=False)
_NOTHING = "Record<string, never>"
_ANYTHING = "Record<string, unknown>"


# Declarations


def _name_list(type_name: str, constant: str, declared: Iterable[str]) -> str:
    literals = [quoted(name) for name in declared]
    union = " | ".join(literals) or "never"
    return f"export type {type_name} = {union};\nexport const {constant}: {type_name}[] = [{', '.join(literals)}];"


def _interface(name: str, members: Iterable[Member]) -> str:
    lines = "".join(f"  {_member(member)};\n" for member in members)
    return f"export interface {name} {{\n{lines}}}"


def _declared(name: str, shape: Shape) -> str:
    if isinstance(shape, Object) and shape.members:
        return _interface(name, shape.members)
    return f"export type {name} = {_type(shape)};"


def _inputs(operations: Iterable[Operation], names: TypeNames, written: set[str]) -> Iterator[str]:
    """The input types of operations, without those that others share with them and that are ``written``."""
    for operation in operations:
        name = names.inputs.get(operation)
        if name is not None and name not in written:
            written.add(name)
            yield _interface(name, operation.input or ())


def _type_alias(name: str, members: Mapping[str, str], of_none: str) -> str:
    """An alias and no interface, which would not be a ``Record<string, …>`` to the compiler."""
    if not members:
        return f"export type {name} = {of_none};"
    lines = "".join(f"  {_key(member)}: {type_};\n" for member, type_ in members.items())
    return f"export type {name} = {{\n{lines}}};"


# The client


def _input_type(operation: Operation, names: TypeNames) -> str:
    return names.inputs.get(operation, _ANYTHING if operation.input is None else _NOTHING)


def _actions(model: ClientModel, names: TypeNames) -> str:
    lines = "".join(
        f"  {_key(action.name)}: (input{'' if action.input else '?'}: {_input_type(action, names)})"
        " => Promise<ActionResult>;\n"
        for action in model.actions
    )
    return f"export interface Actions {{\n{lines}}}"


def _create_client(model: ClientModel) -> str:
    # in brackets, because __proto__ would not be a member otherwise
    lines = "".join(
        f"      [{quoted(action.name)}]: (input) => action({quoted(action.name)}, input),\n"
        for action in model.actions
    )
    return runtime.CREATE_CLIENT.replace("/* actions */", f"{{\n{lines}    }}" if lines else "{}")


# The schema


def _schema(model: ClientModel, names: TypeNames) -> Iterator[str]:
    yield _type_alias("Entities", names.entities, of_none="Record<never, { id: string }>")
    yield _type_alias(
        "NewRows",
        {
            entity.name: f"Optional<{names.entities[entity.name]}, {_union(_filled_in(entity.stamped))}>"
            for entity in model.entities
        },
        of_none="Record<never, object>",
    )
    outputs = {name: f"Output<typeof import({quoted(module)})>" for name, module in model.modules.items()}
    yield _operations("Functions", model.functions, names, {**outputs, **names.outputs})
    yield _operations("Queries", model.queries, names, {})
    yield _type_alias(
        "Searches",
        {
            entity.name: f"{{ facets: {_union(search.facets)}; sortable: {_union(search.sortable)} }}"
            for entity in model.entities
            for search in (entity.search,)
            if search is not None
        },
        of_none="Record<never, { facets: never; sortable: never }>",
    )
    yield runtime.APP_SCHEMA
    if model.modules:
        yield runtime.OUTPUT


def _filled_in(stamped: str | None) -> tuple[str, ...]:
    return ("id",) if stamped is None else ("id", stamped)


def _operations(alias: str, operations: Iterable[Operation], names: TypeNames, outputs: Mapping[str, str]) -> str:
    return _type_alias(
        alias,
        {
            operation.name: f"{{ input: {_input_type(operation, names)}; output: {output} }}"
            for operation in operations
            for output in (outputs.get(operation.name, "unknown"),)
        },
        of_none="Record<never, { input: unknown; output: unknown }>",
    )


def _errors() -> str:
    return runtime.ERRORS.replace("/* codes */", "".join(f"\n  | {quoted(code)}" for code in ERROR_CODES))


# Types


def _member(member: Member) -> str:
    return f"{_key(member.name)}{'?' if member.optional else ''}: {_type(member.shape)}"


def _key(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else quoted(name)


_SCALARS: Mapping[Scalar, str] = {
    Scalar.TEXT: "string",
    Scalar.INTEGER: "number",
    Scalar.NUMBER: "number",
    Scalar.BOOLEAN: "boolean",
    Scalar.NULL: "null",
    Scalar.ANY: "unknown",
}


def _type(shape: Shape) -> str:
    match shape:
        case Scalar():
            return _SCALARS[shape]
        case Literal(value):
            return quoted(value) if isinstance(value, str) else json.dumps(value)
        case Array(Union(variants)) if variants:
            return f"({_type(shape.items)})[]"
        case Array(items):
            return f"{_type(items)}[]"
        case Object(members):
            return f"{{ {'; '.join(map(_member, members))} }}" if members else _ANYTHING
        case Record(values):
            return f"Record<string, {_type(values)}>"
        case Union(variants):
            return " | ".join(map(_type, variants)) or "never"


def _union(names: Iterable[str]) -> str:
    return " | ".join(map(quoted, names)) or "never"
