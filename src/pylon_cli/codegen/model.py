"""What a client can do with an app: the manifest and the functions as every language writes them down. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pylon_cli.codegen.shapes import Member, argument_members, field_member
from pylon_core.manifest import ActionDef, AppManifest, EntityDef, FieldDef, QueryDef
from pylon_core.secret_fields import secret_fields
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_router.tenants import tenant_field

_Named = TypeVar("_Named", EntityDef, FieldDef, QueryDef, ActionDef)
_CALLED_BY_CLIENTS = (FunctionKind.QUERY, FunctionKind.MUTATION, FunctionKind.ACTION)


@dataclass(frozen=True)
class Entity:
    """``fields`` are those that clients see, without ``id``; the server can fill in the ``stamped`` one."""

    name: str
    fields: tuple[Member, ...]
    stamped: str | None = None

    @property
    def new_fields(self) -> tuple[Member, ...]:
        """As they are sent for a new row."""
        return tuple(
            replace(field, optional=True) if field.name == self.stamped else field for field in self.fields
        )


@dataclass(frozen=True)
class Operation:
    """Something to call. ``input`` is ``None`` where nobody says what it takes."""

    name: str
    input: tuple[Member, ...] | None


@dataclass(frozen=True)
class FunctionFiles:
    """The functions of an app: what their process announced, and which of them are TypeScript modules that the
    generated file can import types from (by function name, how the module is called there)."""

    announced: Sequence[FunctionDefinition]
    modules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClientModel:
    """``functions`` answer at ``/api/fn/<name>``. While nobody knows them, they are taken to be called as the
    manifest's actions are."""

    entities: tuple[Entity, ...]
    queries: tuple[Operation, ...]
    actions: tuple[Operation, ...]
    functions: tuple[Operation, ...]
    modules: Mapping[str, str]


def describe(manifest: AppManifest, functions: FunctionFiles | None) -> ClientModel:
    """``functions`` is ``None`` when they are not known. Of several things with one name, the first counts."""
    secret = secret_fields(manifest)
    actions = tuple(map(_declared, _first_of_each(manifest.actions)))
    return ClientModel(
        entities=tuple(
            _entity(entity, secret.get(entity.name, frozenset())) for entity in _first_of_each(manifest.entities)
        ),
        queries=tuple(map(_declared, _first_of_each(manifest.queries))),
        actions=actions,
        functions=actions if functions is None else tuple(map(_announced, _callable(functions.announced))),
        modules={} if functions is None else functions.modules,
    )


def _first_of_each(declared: Iterable[_Named]) -> Iterable[_Named]:
    first: dict[str, _Named] = {}
    for one in declared:
        first.setdefault(one.name, one)
    return first.values()


def _entity(entity: EntityDef, secret: Collection[str]) -> Entity:
    hidden = {"id", *secret}
    fields = (field for field in _first_of_each(entity.fields) if field.name not in hidden)
    stamped = tenant_field(entity)
    return Entity(entity.name, tuple(map(field_member, fields)), None if stamped in hidden else stamped)


def _declared(operation: QueryDef | ActionDef) -> Operation:
    return Operation(operation.name, tuple(map(field_member, _first_of_each(operation.input))))


def _announced(function: FunctionDefinition) -> Operation:
    schema = function.args_schema
    return Operation(function.name, None if schema is None else argument_members(schema))


def _callable(functions: Iterable[FunctionDefinition]) -> list[FunctionDefinition]:
    """Those that clients call, by name: the order in which a process announces them says nothing."""
    called = (function for function in functions if function.fn_type in _CALLED_BY_CLIENTS)
    return sorted(called, key=lambda function: function.name)
