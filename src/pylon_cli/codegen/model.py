"""What a client can do with an app: the manifest and the functions as every language writes them down. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pylon_cli.codegen.shapes import Member, Scalar, Shape, Union, argument_members, field_member, returned_shape
from pylon_core.manifest import ActionDef, AppManifest, EntityDef, FieldDef, QueryDef
from pylon_core.secret_fields import secret_fields
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_router.tenants import tenant_field

_Named = TypeVar("_Named", EntityDef, FieldDef, QueryDef, ActionDef)
_UNSAID = (Scalar.ANY, Union(()))
_CALLED_BY_CLIENTS = (FunctionKind.QUERY, FunctionKind.MUTATION, FunctionKind.ACTION)


@dataclass(frozen=True)
class Search:
    """What a search filters and counts by, and what it sorts by: fields that clients see."""

    facets: tuple[str, ...]
    sortable: tuple[str, ...]


@dataclass(frozen=True)
class Entity:
    """``fields`` are those that clients see, without ``id``; the server can fill in the ``stamped`` one.
    ``search`` is ``None`` where there is none."""

    name: str
    fields: tuple[Member, ...]
    stamped: str | None = None
    search: Search | None = None

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
    manifest's actions are. Of some it is known what they return: those in ``modules`` are asked by the compiler,
    those in ``outputs`` have said so."""

    entities: tuple[Entity, ...]
    queries: tuple[Operation, ...]
    actions: tuple[Operation, ...]
    functions: tuple[Operation, ...]
    modules: Mapping[str, str]
    outputs: Mapping[str, Shape]


def describe(manifest: AppManifest, functions: FunctionFiles | None) -> ClientModel:
    """``functions`` is ``None`` when they are not known. Of several things with one name, the first counts."""
    secret = secret_fields(manifest)
    actions = tuple(map(_declared, _first_of_each(manifest.actions)))
    callable_ = () if functions is None else called_by_clients(functions.announced)
    modules = {} if functions is None else functions.modules
    return ClientModel(
        entities=tuple(
            _entity(entity, secret.get(entity.name, frozenset())) for entity in _first_of_each(manifest.entities)
        ),
        queries=tuple(map(_declared, _first_of_each(manifest.queries))),
        actions=actions,
        functions=actions if functions is None else tuple(map(_announced, callable_)),
        modules={function.name: modules[function.name] for function in callable_ if function.name in modules},
        outputs=_outputs(callable_),
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
    members = tuple(map(field_member, fields))
    return Entity(entity.name, members, None if stamped in hidden else stamped, _search(entity, members))


def _search(entity: EntityDef, members: Iterable[Member]) -> Search | None:
    declared = entity.search
    if declared is None or not (declared.text or declared.facets or declared.sortable):
        return None
    visible = [member.name for member in members]
    return Search(
        facets=tuple(name for name in visible if name in declared.facets),
        sortable=tuple(name for name in visible if name in declared.sortable),
    )


def _declared(operation: QueryDef | ActionDef) -> Operation:
    return Operation(operation.name, tuple(map(field_member, _first_of_each(operation.input))))


def _announced(function: FunctionDefinition) -> Operation:
    schema = function.args_schema
    return Operation(function.name, None if schema is None else argument_members(schema))


def _outputs(functions: Iterable[FunctionDefinition]) -> dict[str, Shape]:
    shapes = ((function.name, returned_shape(function.returns)) for function in functions if function.returns)
    return {name: shape for name, shape in shapes if shape not in _UNSAID}


def called_by_clients(functions: Iterable[FunctionDefinition]) -> Sequence[FunctionDefinition]:
    """By name: the order in which a process announces them says nothing."""
    called = (each for each in functions if each.fn_type in _CALLED_BY_CLIENTS and not each.is_internal)
    return sorted(called, key=lambda function: function.name)
