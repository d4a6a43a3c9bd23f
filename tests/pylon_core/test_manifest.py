"""What a manifest document means as values, and that writing it back loses nothing (contract 02 §2 to §6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pylon_core import jsontext
from pylon_core.manifest import (
    AppManifest,
    AuthDef,
    EntityDef,
    FieldDef,
    FieldKind,
    PolicyDef,
    RouteDef,
    parse_manifest,
    public_manifest,
)
from tests.strategies.documents import app, entity, field, index, notes_app, policy, relation, route
from tests.strategies.manifests import manifests


def parsed(document: dict[str, Any]) -> AppManifest:
    return parse_manifest(jsontext.encode(document))


def only_entity(**members: Any) -> EntityDef:
    return parsed(app(entities=[entity(**members)])).entities[0]


def of_type(wire_type: str) -> FieldDef:
    return FieldDef(name="f", type=wire_type, optional=False, unique=False)


# --- reading


def test_the_complete_example_survives_parse_serialize_parse() -> None:
    once = parsed(notes_app())

    twice = parsed(once.to_wire())

    assert twice == once
    assert [declared["type"] for declared in once.to_wire()["entities"][1]["fields"]] == [
        "id(User)",
        "richtext",
        "bool",
    ]


def test_every_member_of_the_complete_example_is_read() -> None:
    manifest = parsed(notes_app())

    note = manifest.entity("Note")
    assert note is not None
    assert (manifest.manifest_version, manifest.name, manifest.version) == (1, "notes", "0.1.0")
    assert [(declared.name, declared.optional, declared.unique) for declared in note.fields] == [
        ("ownerId", False, False),
        ("body", True, False),
        ("done", False, False),
    ]
    assert [(declared.name, declared.fields, declared.unique) for declared in note.indexes] == [
        ("by_owner", ("ownerId",), False)
    ]
    assert [(to.name, to.target, to.field, to.many) for to in note.relations] == [
        ("owner", "User", "ownerId", False)
    ]
    assert note.search is not None
    assert (note.search.text, note.search.facets, note.search.sortable) == (("body",), ("done",), ())
    rule = manifest.policies[0]
    assert (rule.name, rule.entity, rule.action) == ("note_owner", "Note", "")
    assert rule.expressions == {
        "allowRead": "auth.userId == data.ownerId",
        "allowWrite": "auth.userId == data.ownerId",
    }


def test_a_manifest_without_optional_members_takes_their_defaults() -> None:
    manifest = parsed(app())

    assert (manifest.queries, manifest.actions, manifest.policies) == ((), (), ())
    assert manifest.auth == AuthDef()
    assert (manifest.auth.user.entity, manifest.auth.user.expose, manifest.auth.user.hide) == ("User", (), ())
    assert manifest.auth.session.expires_in == 30 * 24 * 60 * 60
    assert manifest.auth.session.cookie_cache.enabled is False
    assert manifest.auth.session.cookie_cache.max_age == 300
    assert manifest.auth.session.cookie_cache.claims == ("is_admin", "tenant_id")
    assert manifest.auth.trusted_origins == ()


def test_partial_auth_changes_only_what_it_names() -> None:
    auth = parsed(app(auth={"session": {"expires_in": 0}, "user": {"hide": ["ssn"]}})).auth

    assert (auth.session.expires_in, auth.user.hide) == (0, ("ssn",))
    assert (auth.user.entity, auth.session.cookie_cache.max_age) == ("User", 300)


def test_an_entity_without_crdt_relations_or_search_takes_their_defaults() -> None:
    plain = only_entity()

    assert plain.crdt is True
    assert plain.relations == ()
    assert plain.search is None
    assert plain.fields[0].crdt is None


def test_an_entity_may_opt_out_of_crdt() -> None:
    assert only_entity(crdt=False).crdt is False


def test_search_lists_default_to_empty() -> None:
    search = only_entity(search={}).search

    assert search is not None
    assert (search.text, search.facets, search.sortable, search.language) == ((), (), (), None)


def test_null_means_absent_where_a_member_may_be_absent() -> None:
    document = app(
        entities=[entity(search=None, fields=[field(crdt=None)])],
        routes=[route(query=None, auth=None)],
        policies=[policy(entity=None, action=None, allowRead=None)],
    )

    manifest = parsed(document)

    assert manifest.entities[0].search is None
    assert manifest.entities[0].fields[0].crdt is None
    assert (manifest.routes[0].query, manifest.routes[0].auth) == (None, None)
    assert manifest.policies[0] == PolicyDef(name="open", allow="true")


def test_unknown_members_are_ignored_everywhere() -> None:
    extra: dict[str, Any] = {"x-note": {"deep": [1]}}
    document = app(
        entities=[
            entity(
                fields=[field(**extra), field("noteId", "id(Note)")],
                indexes=[index() | extra],
                relations=[relation(field="noteId", **extra)],
                search={"text": ["title"], **extra},
                **extra,
            )
        ],
        routes=[route(**extra)],
        policies=[policy(entity="Note", allow_read="false", **extra)],
        auth={"user": extra, "session": {"cookie_cache": extra, **extra}, **extra},
        **extra,
    )

    manifest = parsed(document)

    assert "x-note" not in jsontext.encode(manifest.to_wire()).decode()
    assert manifest.policies[0].allow_read == "", "policy members are camelCase on the wire"


def test_an_unsupported_version_still_parses() -> None:
    assert parsed(app(manifest_version=999)).manifest_version == 999


def test_queries_and_actions_keep_order_names_inputs_and_optional_flags() -> None:
    inputs = [field("sku"), field("limit", "int", optional=True)]
    manifest = parsed(
        app(queries=[{"name": "b", "input": inputs}, {"name": "a"}], actions=[{"name": "z", "input": inputs}])
    )

    assert [query.name for query in manifest.queries] == ["b", "a"]
    assert [(given.name, given.type, given.optional) for given in manifest.queries[0].input] == [
        ("sku", "string", False),
        ("limit", "int", True),
    ]
    assert manifest.queries[1].input == ()
    assert manifest.actions[0].input == manifest.queries[0].input


def test_a_manifest_cannot_be_changed() -> None:
    manifest = parsed(notes_app())

    with pytest.raises(ValidationError):
        manifest.name = "other"
    with pytest.raises(ValidationError):
        manifest.policies[0].allow_read = "true"


# --- derived values


@pytest.mark.parametrize(
    ("wire_type", "kind", "target"),
    [
        ("string", FieldKind.STRING, None),
        ("int", FieldKind.INT, None),
        ("float", FieldKind.FLOAT, None),
        ("bool", FieldKind.BOOL, None),
        ("datetime", FieldKind.DATETIME, None),
        ("richtext", FieldKind.RICHTEXT, None),
        ("id(User)", FieldKind.ID, "User"),
        ("id(My App)", FieldKind.ID, "My App"),
        ("id", None, None),
        ("id(", None, None),
        ("id()", None, None),
        ("id(User", None, None),
        ("id(User) ", None, None),
        ("text", None, None),
        ("json", None, None),
        ("number", None, None),
        ("boolean", None, None),
        ("date", None, None),
        ("String", None, None),
        ("", None, None),
    ],
)
def test_a_field_knows_what_its_type_means(wire_type: str, kind: FieldKind | None, target: str | None) -> None:
    assert (of_type(wire_type).kind, of_type(wire_type).id_target) == (kind, target)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users/:userId/todos/:todoId", ("userId", "todoId")),
        ("/", ()),
        ("/a:b", ()),
        ("/:only", ("only",)),
    ],
)
def test_a_route_knows_its_params(path: str, params: tuple[str, ...]) -> None:
    assert RouteDef(path=path, mode="static").params == params


def test_declarations_are_found_by_exact_name() -> None:
    manifest = parsed(notes_app() | {"queries": [{"name": "q"}], "actions": [{"name": "a"}]})
    note = manifest.entity("Note")

    assert note is manifest.entities[1]
    assert note.field("done") is note.fields[2]
    assert note.relation("owner") is note.relations[0]
    assert manifest.query("q") is manifest.queries[0]
    assert manifest.action("a") is manifest.actions[0]


@pytest.mark.parametrize("name", ["note", "Notes", "", "__class__"])
def test_a_name_that_is_not_declared_is_not_found(name: str) -> None:
    manifest = parsed(notes_app())

    assert manifest.entity(name) is None
    assert manifest.entities[1].field(name) is None
    assert manifest.entities[1].relation(name) is None
    assert manifest.query(name) is None
    assert manifest.action(name) is None


def test_looking_names_up_does_not_change_what_a_manifest_equals_or_emits() -> None:
    used, fresh = parsed(notes_app()), parsed(notes_app())

    used.entity("Note")
    used.entities[1].field("done")
    assert used.entities[1].fields[0].kind is FieldKind.ID

    assert used == fresh
    assert used.to_wire() == fresh.to_wire()


# --- writing


def test_members_that_are_always_emitted() -> None:
    wire = parsed(app(entities=[entity(search={})], policies=[policy(entity="Note")])).to_wire()

    assert list(wire) == [
        "manifest_version",
        "name",
        "version",
        "entities",
        "routes",
        "queries",
        "actions",
        "policies",
        "auth",
    ]
    assert list(wire["entities"][0]) == ["name", "fields", "indexes", "search", "crdt"]
    assert wire["entities"][0]["search"] == {"text": [], "facets": [], "sortable": [], "language": None}
    assert list(wire["entities"][0]["fields"][0]) == ["name", "type", "optional", "unique"]
    assert wire["policies"] == [{"name": "open", "entity": "Note", "allow": "true"}]
    assert wire["auth"] == {
        "user": {"entity": "User"},
        "session": {
            "expires_in": 2592000,
            "cookie_cache": {"enabled": False, "max_age": 300, "claims": ["is_admin", "tenant_id"]},
        },
    }


def test_members_that_are_emitted_when_set() -> None:
    document = app(
        entities=[
            entity(
                fields=[field(crdt="text"), field("ownerId", "id(Note)")],
                relations=[relation("owner"), relation("all", many=True, field="ownerId")],
            )
        ],
        routes=[route(query="q", auth="user")],
        queries=[{"name": "q", "input": [field()]}],
        auth={"user": {"expose": ["title"], "hide": ["ownerId"]}, "trusted_origins": ["https://a.example"]},
    )

    wire = parsed(document).to_wire()

    assert wire["entities"][0]["fields"][0]["crdt"] == "text"
    assert [written["many"] for written in wire["entities"][0]["relations"]] == [False, True]
    assert wire["routes"] == [{"path": "/", "mode": "server", "query": "q", "auth": "user"}]
    assert wire["queries"] == [{"name": "q", "input": [field()]}]
    assert wire["auth"]["user"] == {"entity": "User", "expose": ["title"], "hide": ["ownerId"]}
    assert wire["auth"]["trusted_origins"] == ["https://a.example"]


def test_members_that_are_omitted_when_unset() -> None:
    wire = parsed(app(routes=[route()], queries=[{"name": "q", "input": []}], actions=[{"name": "a"}])).to_wire()

    assert wire["routes"] == [{"path": "/", "mode": "server"}]
    assert wire["queries"] == [{"name": "q"}]
    assert wire["actions"] == [{"name": "a"}]
    assert "relations" not in wire["entities"][0]
    assert "search" not in wire["entities"][0]


def test_policy_members_keep_their_camel_case() -> None:
    rules = {
        "allow": "true",
        "allowRead": "auth.isAdmin",
        "allowInsert": "false",
        "allowUpdate": "true",
        "allowDelete": "false",
        "allowWrite": "true",
    }

    manifest = parsed(app(policies=[{"name": "all", "entity": "Note", "action": "a", **rules}]))

    assert manifest.policies[0].expressions == rules
    assert manifest.to_wire()["policies"] == [{"name": "all", "entity": "Note", "action": "a", **rules}]


def test_the_public_form_names_policies_and_shows_none_of_the_six_expressions() -> None:
    rules = dict.fromkeys(
        ["allow", "allowRead", "allowInsert", "allowUpdate", "allowDelete", "allowWrite"], "data.secret == true"
    )
    manifest = parsed(app(policies=[{"name": "all", "entity": "Note", "action": "publish", **rules}]))

    public = public_manifest(manifest, expressions=False)

    assert public["policies"] == [{"name": "all", "entity": "Note", "action": "publish"}]
    assert "secret" not in jsontext.encode(public).decode()
    assert {**public, "policies": None} == {**manifest.to_wire(), "policies": None}
    assert public_manifest(manifest, expressions=True) == manifest.to_wire()


@given(manifests())
def test_any_manifest_survives_serialize_parse(manifest: AppManifest) -> None:
    assert parsed(manifest.to_wire()) == manifest


words = st.text(max_size=8)
optional_words = st.none() | words


@given(
    st.fixed_dictionaries({"name": words, "entity": words, "action": words, "allow": words, "allowRead": words}),
    st.fixed_dictionaries({"path": words, "mode": words, "query": optional_words, "auth": optional_words}),
    st.fixed_dictionaries({"name": words, "type": words, "optional": st.booleans(), "unique": st.booleans()}),
    st.integers(),
)
def test_even_a_senseless_manifest_survives_serialize_parse(
    rule: dict[str, Any], page: dict[str, Any], column: dict[str, Any], version: int
) -> None:
    document = app(manifest_version=version, policies=[rule], routes=[page], entities=[entity(fields=[column])])

    once = parsed(document)

    assert parsed(once.to_wire()) == once
    assert once.entities[0].fields[0].name == column["name"]
    assert once.routes[0].query == page["query"]
