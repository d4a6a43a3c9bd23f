"""What the types of a generated file are called, in every language by the same claims (contract 08 §8). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pylon_cli.codegen.model import ClientModel, Operation
from pylon_cli.codegen.names import Scope, capitalised


@dataclass(frozen=True)
class TypeNames:
    """Entities by their name. Operations that take something, by themselves: two of one name that take the same
    share a type. What functions return, by the function's name."""

    entities: Mapping[str, str]
    inputs: Mapping[Operation, str]
    outputs: Mapping[str, str]


def name_types(model: ClientModel, scope: Scope) -> TypeNames:
    """``Note`` for an entity, ``FindInput`` for what ``find`` takes. What is taken is called ``NoteEntity``; of a
    query, an action and a function of one name, the later is called ``FindActionInput``."""
    entities = {entity.name: scope.claim(entity.name, f"{entity.name}Entity") for entity in model.entities}
    inputs: dict[Operation, str] = {}
    kinds = (("Query", model.queries), ("Action", model.actions), ("Function", model.functions))
    for kind, operations in kinds:
        for operation in operations:
            if operation.input and operation not in inputs:
                stem = capitalised(operation.name)
                inputs[operation] = scope.claim(f"{stem}Input", f"{stem}{kind}Input")
    outputs = {
        name: scope.claim(f"{capitalised(name)}Output", f"{capitalised(name)}FunctionOutput")
        for name in model.outputs
    }
    return TypeNames(entities, inputs, outputs)
