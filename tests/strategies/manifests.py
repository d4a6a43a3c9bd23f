"""Hypothesis strategies for manifests that pass every check.

Names are plain and never collide, by construction: entities are ``PascalCase``, fields ``camelCase``, indexes
begin with ``by_``. Entities refer only to one another.
"""

import string
from collections.abc import Sequence
from typing import Literal

from hypothesis import strategies as st

from pylon_core.manifest import (
    ActionDef,
    AppManifest,
    AuthDef,
    AuthSessionDef,
    AuthUserDef,
    CookieCacheDef,
    EntityDef,
    FieldDef,
    FieldKind,
    IndexDef,
    PolicyDef,
    QueryDef,
    RelationDef,
    RouteDef,
    ScheduleDef,
    SearchDef,
)

SCALARS = ("string", "int", "float", "bool", "datetime", "richtext")
NOT_FOR_FIELDS = frozenset({"id", "rowid", "xmin", "cmin", "xmax", "cmax", "ctid", "tableoid"})
EXPRESSIONS = ("true", "false", "auth.isAdmin", "auth.userId != null", "auth.hasRole('editor')")

_ALPHANUMERIC = string.ascii_letters + string.digits
_CRDT_BY_KIND: dict[FieldKind, tuple[Literal["lww", "text"], ...]] = {
    FieldKind.STRING: ("lww", "text"),
    FieldKind.RICHTEXT: ("lww", "text"),
}


def _names(first: str) -> st.SearchStrategy[str]:
    return st.builds(str.__add__, st.sampled_from(first), st.text(_ALPHANUMERIC, max_size=10))


entity_names = _names(string.ascii_uppercase)
field_names = _names(string.ascii_lowercase).filter(lambda name: name.lower() not in NOT_FOR_FIELDS)


def _distinct(names: st.SearchStrategy[str], *, at_least: int, at_most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(names, min_size=at_least, max_size=at_most, unique_by=str.lower)


@st.composite
def fields(draw: st.DrawFn, name: str, targets: Sequence[str]) -> FieldDef:
    """A field of any type; ``targets`` are the entities it may refer to."""
    wire_type = draw(st.sampled_from([*SCALARS, *(f"id({target})" for target in targets)]))
    field = FieldDef(name=name, type=wire_type, optional=draw(st.booleans()), unique=draw(st.booleans()))
    assert field.kind is not None
    crdt = draw(st.none() | st.sampled_from(_CRDT_BY_KIND.get(field.kind, ("lww",))))
    return field.model_copy(update={"crdt": crdt})


@st.composite
def entities(draw: st.DrawFn, name: str = "Thing", targets: Sequence[str] = ()) -> EntityDef:
    """An entity that refers to itself and to ``targets`` only, with to-one relations along its references."""
    declared = tuple(
        draw(fields(field_name, [name, *targets]))
        for field_name in draw(_distinct(field_names, at_least=1, at_most=6))
    )
    return EntityDef(
        name=name,
        fields=declared,
        indexes=draw(_indexes(declared)),
        relations=tuple(
            RelationDef(name=f"{field.name}_row", target=field.id_target, field=field.name)
            for field in declared
            if field.id_target is not None and draw(st.booleans())
        ),
        search=draw(st.none() | _search(declared)),
        crdt=draw(st.booleans()),
    )


@st.composite
def _indexes(draw: st.DrawFn, declared: Sequence[FieldDef]) -> tuple[IndexDef, ...]:
    lists = st.lists(st.sampled_from([field.name for field in declared]), min_size=1, max_size=3, unique=True)
    return tuple(
        IndexDef(name=f"by_{number}", fields=tuple(names), unique=draw(st.booleans()))
        for number, names in enumerate(draw(st.lists(lists, max_size=2)))
    )


@st.composite
def _search(draw: st.DrawFn, declared: Sequence[FieldDef]) -> SearchDef:
    def some_of(kinds: frozenset[FieldKind]) -> tuple[str, ...]:
        return tuple(field.name for field in declared if field.kind in kinds and draw(st.booleans()))

    values = frozenset(FieldKind) - {FieldKind.RICHTEXT}
    return SearchDef(
        text=some_of(frozenset({FieldKind.STRING, FieldKind.RICHTEXT})),
        facets=some_of(values),
        sortable=some_of(values),
        language=draw(st.sampled_from([None, "english", "german"])),
    )


@st.composite
def _inputs(draw: st.DrawFn, targets: Sequence[str]) -> tuple[FieldDef, ...]:
    names = draw(_distinct(field_names, at_least=0, at_most=3))
    return tuple(draw(fields(name, targets)).model_copy(update={"unique": False, "crdt": None}) for name in names)


@st.composite
def _routes(draw: st.DrawFn, queries: Sequence[QueryDef]) -> tuple[RouteDef, ...]:
    """A page per query that takes its inputs from the path, and perhaps a page without a query."""
    modes, auths = st.sampled_from(["static", "server", "live"]), st.sampled_from([None, "public", "user"])
    paged = [
        RouteDef(
            path="/".join([f"/{query.name}", *(f":{field.name}" for field in query.input)]),
            mode=draw(modes),
            query=query.name,
            auth=draw(auths),
        )
        for query in queries
        if draw(st.booleans())
    ]
    plain = [RouteDef(path="/", mode=draw(modes), auth=draw(auths))] if draw(st.booleans()) else []
    return (*plain, *paged)


@st.composite
def _policies(draw: st.DrawFn, entity_names: Sequence[str], action_names: Sequence[str]) -> tuple[PolicyDef, ...]:
    unset_or_rule = st.sampled_from(["", *EXPRESSIONS])
    targets = [(name, "") for name in entity_names] + [("", name) for name in action_names]
    return tuple(
        PolicyDef(
            name=f"policy_{number}",
            entity=entity,
            action=action,
            allow=draw(st.sampled_from(EXPRESSIONS)),
            allow_read=draw(unset_or_rule),
            allow_insert=draw(unset_or_rule),
            allow_update=draw(unset_or_rule),
            allow_delete=draw(unset_or_rule),
            allow_write=draw(unset_or_rule),
        )
        for number, (entity, action) in enumerate(draw(st.lists(st.sampled_from(targets), max_size=3)))
    )


@st.composite
def _auth(draw: st.DrawFn, declared: Sequence[EntityDef]) -> AuthDef:
    user = draw(st.sampled_from(declared))
    return AuthDef(
        user=AuthUserDef(
            entity=user.name,
            expose=draw(_some_names([field.name for field in user.fields])),
            hide=draw(_some_names(_unsearched(user))),
        ),
        session=AuthSessionDef(
            expires_in=draw(st.integers(0, 2**40)),
            cookie_cache=CookieCacheDef(enabled=draw(st.booleans()), max_age=draw(st.integers(0, 86_400))),
        ),
        trusted_origins=draw(st.sampled_from([(), ("https://app.example",)])),
    )


def _some_names(names: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=2, unique=True).map(tuple) if names else st.just(())


def _unsearched(entity: EntityDef) -> list[str]:
    """What may be secret."""
    search = entity.search or SearchDef()
    searched = {*search.text, *search.facets, *search.sortable}
    return [field.name for field in entity.fields if field.name not in searched]


@st.composite
def manifests(draw: st.DrawFn) -> AppManifest:
    """A whole app: one to four entities and everything else a manifest can declare."""
    names = draw(_distinct(entity_names, at_least=1, at_most=4))
    declared = tuple(draw(entities(name, names)) for name in names)
    queries = tuple(
        QueryDef(name=name, input=draw(_inputs(names)))
        for name in draw(_distinct(field_names, at_least=0, at_most=2))
    )
    actions = tuple(
        ActionDef(name=name, input=draw(_inputs(names)))
        for name in draw(_distinct(field_names, at_least=0, at_most=2))
    )
    return AppManifest(
        manifest_version=1,
        name=draw(st.text(_ALPHANUMERIC + " -_", max_size=12)),
        version=draw(st.sampled_from(["0.1.0", "2026-05", ""])),
        entities=declared,
        routes=draw(_routes(queries)),
        queries=queries,
        actions=actions,
        policies=draw(_policies(names, [action.name for action in actions])),
        schedules=tuple(
            ScheduleDef(
                name=name,
                cron=draw(st.sampled_from(["* * * * *", "*/5 9-17 1,15 1-6 1-5"])),
                function=draw(field_names),
                timezone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
                args=draw(st.sampled_from([{}, {"to": ["all", 1, None]}])),
                missed=draw(st.sampled_from(["skip", "once"])),
                enabled=draw(st.booleans()),
            )
            for name in draw(_distinct(field_names, at_least=0, at_most=2))
        ),
        auth=draw(_auth(declared)),
    )
