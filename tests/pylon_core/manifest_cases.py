"""The cases of ``check_manifest``, code by code: a manifest that has the finding and one near it that has not."""

from dataclasses import dataclass
from typing import Any

from pylon_core.diagnostics import Severity
from tests.strategies.documents import Document, app, entity, field, index, policy, relation, route, schedule


@dataclass(frozen=True)
class Case:
    """``broken`` has the finding ``code`` (and ``also`` the others true of it); ``sound`` has none."""

    code: str
    broken: Document
    sound: Document
    severity: Severity = Severity.ERROR
    also: tuple[str, ...] = ()


def with_fields(*fields: Document, **members: Any) -> Document:
    return app(entities=[entity(fields=list(fields), **members)])


def with_indexes(*indexes: Document) -> Document:
    return app(entities=[entity(indexes=list(indexes))])


def with_entities(*names: str) -> Document:
    return app(entities=[entity(name) for name in names])


def with_query(*inputs: Document) -> Document:
    return app(queries=[{"name": "find", "input": list(inputs)}])


def with_action(*inputs: Document) -> Document:
    return app(actions=[{"name": "publish", "input": list(inputs)}])


def owned(*relations: Document) -> Document:
    """``Note.ownerId`` refers to ``User``, whose relations are the given ones if they are to many."""
    to_one = [declared for declared in relations if not declared.get("many")]
    to_many = [declared for declared in relations if declared.get("many")]
    return app(
        entities=[
            entity("Note", fields=[field("ownerId", "id(User)")], relations=to_one),
            entity("User", relations=to_many),
        ]
    )


def searching(**search: Any) -> Document:
    return with_fields(field(), field("body", "richtext"), field("stars", "int"), search=search)


def with_secrets(**search: list[str]) -> Document:
    fields = [field(), field("passwordHash"), field("_notes"), field("phone")]
    return app(entities=[entity("User", fields=fields, search=search)], auth={"user": {"hide": ["phone"]}})


CONTRACT_CASES = [
    Case("MANIFEST_VERSION_UNSUPPORTED", app(manifest_version=999), app(manifest_version=1)),
    Case("MANIFEST_VERSION_UNSUPPORTED", app(manifest_version=0), app()),
    Case("SCHEMA_EMPTY", app(entities=[]), app()),
    Case("ENTITY_NAME_EMPTY", with_entities(""), with_entities("N")),
    Case("ENTITY_NAME_EMPTY", with_entities("", ""), app(), also=("ENTITY_NAME_EMPTY",)),
    Case("ENTITY_DUPLICATE", with_entities("Note", "Note", "Note"), with_entities("Note", "Tag")),
    Case("FIELD_NAME_EMPTY", with_fields(field("")), with_fields(field("x"))),
    Case("FIELD_DUPLICATE", with_fields(field("a"), field("a", "int")), with_fields(field("a"), field("b"))),
    Case("FIELD_DUPLICATE", with_fields(field("a"), field("a")), with_entities("A", "B")),
    *(
        Case("FIELD_TYPE_UNKNOWN", with_fields(field("f", unknown)), with_fields(field("f", known)))
        for unknown, known in [
            ("text", "string"),
            ("json", "richtext"),
            ("number", "float"),
            ("boolean", "bool"),
            ("date", "datetime"),
            ("id()", "id(Note)"),
            ("id(", "int"),
            ("id(Nowhere", "int"),
            ("id", "int"),
        ]
    ),
    Case(
        "FIELD_ID_TARGET_NOT_FOUND",
        with_fields(field("f", "id(User)", optional=True)),
        with_fields(field("f", "id(Note)", optional=True)),
    ),
    Case("FIELD_ID_TARGET_NOT_FOUND", with_fields(field("f", "id(note)")), with_fields(field("f", "id(Note)"))),
    Case("FIELD_ID_TARGET_NOT_FOUND", with_query(field("f", "id(X)")), with_query(field("f", "id(Note)"))),
    Case("FIELD_ID_TARGET_NOT_FOUND", with_action(field("f", "id(X)")), with_action(field("f", "id(Note)"))),
    Case("INDEX_NAME_EMPTY", with_indexes(index("")), with_indexes(index("by"))),
    Case(
        "INDEX_NAME_DUPLICATE",
        with_indexes(index("by_title"), index("by_title")),
        app(entities=[entity("A", indexes=[index("by")]), entity("B", indexes=[index("by")])]),
    ),
    Case("INDEX_FIELDS_EMPTY", with_indexes(index("by", ())), with_indexes(index("by", ("title",)))),
    Case(
        "INDEX_FIELD_NOT_FOUND",
        with_indexes(index("by", ("title", "done"))),
        with_fields(field("title"), field("done", "bool"), indexes=[index("by", ("done", "title"))]),
    ),
    Case("INDEX_FIELD_NOT_FOUND", with_indexes(index("by", ("id",))), with_indexes()),
    Case("QUERY_NAME_EMPTY", app(queries=[{"name": ""}]), app(queries=[{"name": "q"}])),
    Case(
        "QUERY_DUPLICATE",
        app(queries=[{"name": "q"}, {"name": "q"}]),
        app(queries=[{"name": "q"}], actions=[{"name": "q"}]),
    ),
    Case("ACTION_NAME_EMPTY", app(actions=[{"name": ""}]), app(actions=[{"name": "a"}])),
    Case(
        "ACTION_DUPLICATE",
        app(actions=[{"name": "a"}, {"name": "a"}]),
        app(actions=[{"name": "a"}, {"name": "b"}]),
    ),
    Case("INPUT_FIELD_NAME_EMPTY", with_query(field("")), with_query(field("a"))),
    Case("INPUT_FIELD_NAME_EMPTY", with_action(field("")), with_action(field("a"))),
    Case("INPUT_FIELD_DUPLICATE", with_query(field("a"), field("a")), with_query(field("a"), field("b"))),
    Case("INPUT_FIELD_DUPLICATE", with_action(field("a"), field("a")), with_action(field("a"), field("b"))),
    Case("INPUT_FIELD_TYPE_UNKNOWN", with_query(field("a", "json")), with_query(field("a", "int"))),
    Case("INPUT_FIELD_TYPE_UNKNOWN", with_action(field("a", "id()")), with_action(field("a", "id(Note)"))),
    Case(
        "POLICY_NAME_EMPTY", app(policies=[policy("", entity="Note")]), app(policies=[policy("p", entity="Note")])
    ),
    Case(
        "POLICY_DUPLICATE",
        app(policies=[policy("p", entity="Note"), policy("p", entity="Note")]),
        app(policies=[policy("p", entity="Note"), policy("q", entity="Note")]),
    ),
    Case(
        "POLICY_ALLOW_EMPTY",
        app(policies=[{"name": "p", "entity": "Note", "allow": "", "allowRead": ""}]),
        app(policies=[{"name": "p", "entity": "Note", "allow": "", "allowWrite": "true"}]),
    ),
    Case("POLICY_NO_TARGET", app(policies=[policy(entity="")]), app(policies=[policy(entity="Note")])),
    Case("POLICY_ENTITY_NOT_FOUND", app(policies=[policy(entity="Notes")]), app(policies=[policy(entity="Note")])),
    Case(
        "POLICY_ACTION_NOT_FOUND",
        with_action() | {"policies": [policy(action="publsh")]},
        with_action() | {"policies": [policy(action="publish", entity="Note")]},
    ),
    Case("ROUTE_PATH_EMPTY", app(routes=[route("")]), app(routes=[route("/")])),
    Case("ROUTE_PATH_NO_SLASH", app(routes=[route("notes")]), app(routes=[route("/notes")])),
    Case("ROUTE_PATH_DUPLICATE", app(routes=[route("/"), route("/")]), app(routes=[route("/"), route("/a")])),
    Case(
        "ROUTE_QUERY_NOT_FOUND", app(routes=[route(query="fnd")]), with_query() | {"routes": [route(query="find")]}
    ),
    Case("ROUTE_QUERY_NOT_FOUND", app(routes=[route(query="")]), app(routes=[route("/:free")])),
    Case(
        "ROUTE_PARAM_NOT_IN_QUERY",
        with_query(field("userId")) | {"routes": [route("/users/:userId/todos/:todoId", query="find")]},
        with_query(field("userId"), field("todoId"))
        | {"routes": [route("/users/:userId/todos/:todoId", query="find")]},
    ),
    Case("ROUTE_AUTH_INVALID", app(routes=[route(auth="admin")]), app(routes=[route(auth="public")])),
    Case("ROUTE_AUTH_INVALID", app(routes=[route(auth="")]), app(routes=[route(auth="user")])),
]

FURTHER_CASES = [
    *(
        Case("ENTITY_NAME_RESERVED", with_entities(reserved), with_entities(free))
        for reserved, free in [
            ("_pylon_jobs", "pylon_jobs"),
            ("_PYLON_jobs", "pylonJobs"),
            ("_fts_Note", "fts_Note"),
            ("_facet_bitmap", "facet_bitmap"),
            ("sqlite_stat", "sqliteStat"),
            ("SQLite_x", "SQLite"),
            ("Note_fts", "Note_ft"),
            ("Note_FTS", "fts"),
            ("Note_fts_data", "Note_fts_rows"),
        ]
    ),
    Case("ENTITY_NAME_UNDERSCORE", with_entities("_Draft"), with_entities("Draft_"), Severity.WARNING),
    Case("ENTITY_CASE_COLLISION", with_entities("Note", "NOTE", "note"), with_entities("Note", "Notes")),
    *(
        Case("FIELD_NAME_RESERVED", with_fields(field(reserved)), with_fields(field(free)))
        for reserved, free in [
            ("id", "ids"),
            ("ID", "uid"),
            ("rowid", "row"),
            ("$limit", "limit"),
            ("_ROWID_", "_x"),
        ]
    ),
    Case("FIELD_NAME_NOT_PORTABLE", with_fields(field("xmax")), with_fields(field("Xmax")), Severity.WARNING),
    Case("FIELD_CASE_COLLISION", with_fields(field("a"), field("A")), with_fields(field("a"), field("a_"))),
    Case("NAME_TOO_LONG", with_entities("N" * 64), with_entities("N" * 63)),
    Case("NAME_TOO_LONG", with_entities("é" * 32), with_entities("é" * 31)),
    Case("NAME_TOO_LONG", with_fields(field("f" * 64)), with_fields(field("f" * 63))),
    Case("NAME_TOO_LONG", with_indexes(index("i" * 59)), with_indexes(index("i" * 58))),
    Case("NAME_INVALID", with_entities("No\0te"), with_entities('No "quoted" te')),
    Case("NAME_INVALID", with_fields(field("a\nb")), with_fields(field("größe (cm)"))),
    Case("NAME_INVALID", with_indexes(index("by\x7f")), with_indexes(index("by title"))),
    Case(
        "INDEX_NAME_COLLISION",
        app(entities=[entity("A", indexes=[index("b_c")]), entity("A_b", indexes=[index("c")])]),
        app(entities=[entity("A", indexes=[index("b_c")]), entity("A_b", indexes=[index("d")])]),
    ),
    Case(
        "INDEX_NAME_COLLISION",
        app(entities=[entity("A", indexes=[index("b")]), entity("A_b")]),
        app(entities=[entity("A", indexes=[index("c")]), entity("A_b")]),
    ),
    Case("INDEX_NAME_COLLISION", with_indexes(index("by"), index("BY")), with_indexes(index("by"), index("by2"))),
    Case("INDEX_NAME_COLLISION", with_indexes(index("fts")), with_indexes(index("sort_title"))),
    Case("INDEX_NAME_COLLISION", with_indexes(index("pkey")), with_indexes(index("key"))),
    Case(
        "INDEX_NAME_COLLISION",
        with_fields(field(unique=True), indexes=[index("title_key")]),
        with_fields(field(), indexes=[index("title_key")]),
    ),
    Case(
        "INDEX_NAME_COLLISION",
        with_fields(field(), indexes=[index("sort_title")], search={"sortable": ["title"]}),
        with_fields(field(), indexes=[index("sort_title")], search={"facets": ["title"]}),
    ),
    Case("RELATION_NAME_EMPTY", owned(relation("", "User")), owned(relation("o", "User"))),
    Case(
        "RELATION_DUPLICATE",
        owned(relation("owner", "User"), relation("owner", "User")),
        owned(relation("owner", "User"), relation("author", "User")),
    ),
    Case("RELATION_TARGET_NOT_FOUND", owned(relation("owner", "Usr")), owned(relation("owner", "User"))),
    Case("RELATION_TARGET_NOT_FOUND", owned(relation("notes", "Nte", many=True)), owned()),
    Case(
        "RELATION_FIELD_NOT_FOUND", owned(relation(target="User", field="owner")), owned(relation(target="User"))
    ),
    Case(
        "RELATION_FIELD_NOT_FOUND",
        owned(relation("notes", "Note", "title", many=True)),
        owned(relation("notes", "Note", "ownerId", many=True)),
    ),
    Case(
        "RELATION_HIDES_FIELD",
        owned(relation("ownerId", "User")),
        owned(relation("owner", "User")),
        Severity.WARNING,
    ),
    Case("SEARCH_FIELD_NOT_FOUND", searching(text=["titel"]), searching(text=["title", "body"])),
    Case("SEARCH_FIELD_NOT_FOUND", searching(facets=["star"]), searching(facets=["stars"])),
    Case("SEARCH_FIELD_NOT_FOUND", searching(sortable=["id"]), searching(sortable=["stars"])),
    Case("SEARCH_FIELD_DUPLICATE", searching(text=["body", "body"]), searching(text=["body"])),
    Case("SEARCH_FIELD_TYPE", searching(text=["stars"]), searching(text=["body"])),
    Case("SEARCH_FIELD_TYPE", searching(facets=["body"]), searching(facets=["title"])),
    Case("SEARCH_FIELD_TYPE", searching(sortable=["body"]), searching(sortable=["title"])),
    *(
        Case("SEARCH_FIELD_SECRET", with_secrets(**{use: [name]}), with_secrets(**{use: ["title"]}))
        for use in ("text", "facets", "sortable")
        for name in ("passwordHash", "_notes", "phone")
    ),
    Case(
        "SEARCH_LANGUAGE_UNKNOWN",
        searching(text=["body"], language="englisch"),
        searching(text=["body"], language="English"),
        Severity.WARNING,
    ),
    *(
        Case(
            "INVALID_CRDT_FIELD",
            with_fields(field("f", wire_type, crdt=crdt)),
            with_fields(field("f", sound, crdt=legal)),
        )
        for wire_type, crdt, sound, legal in [
            ("int", "text", "string", "text"),
            ("datetime", "text", "richtext", "text"),
            ("id(Note)", "text", "id(Note)", "lww"),
            ("bool", "counter", "bool", "lww"),
            ("string", "counter", "richtext", "lww"),
        ]
    ),
    Case(
        "INVALID_CRDT_FIELD",
        with_fields(field("f", "int", crdt="text")),
        with_fields(field("f", "int", crdt="text"), crdt=False),
    ),
    Case(
        "INVALID_CRDT_FIELD",
        with_fields(field("a/b", "richtext")),
        with_fields(field("a/b", "richtext", crdt="lww"), field("c/d", "string")),
    ),
    *(
        Case(
            "INVALID_CRDT_FIELD",
            with_fields(field("a/b", "int", crdt=kind)),
            with_fields(field("f", "int", crdt=kind)),
        )
        for kind in ["counter", "list", "movable-list", "tree"]
    ),
    Case(
        "SEARCH_FIELD_TYPE",
        with_fields(field("tags", crdt="list"), search={"text": ["tags"]}),
        with_fields(field("tags"), search={"text": ["tags"]}),
    ),
    *(
        Case(code, app(schedules=schedules), app(schedules=[schedule()]))
        for code, schedules in (
            ("SCHEDULE_NAME_EMPTY", [schedule(name="")]),
            ("SCHEDULE_NAME_RESERVED", [schedule(name="pylon.sweep")]),
            ("SCHEDULE_FUNCTION_EMPTY", [schedule(function="")]),
            ("SCHEDULE_NAME_INVALID", [schedule(name="a\0b")]),
            ("SCHEDULE_NAME_INVALID", [schedule(name="x" * 201)]),
            ("SCHEDULE_FUNCTION_INVALID", [schedule(function="a\nb")]),
            ("SCHEDULE_DUPLICATE", [schedule(), schedule()]),
            ("SCHEDULE_CRON_INVALID", [schedule(cron="60 * * * *")]),
            ("SCHEDULE_TIMEZONE_UNKNOWN", [schedule(timezone="Europe/Nowhere")]),
            ("SCHEDULE_TIMEZONE_UNKNOWN", [schedule(timezone="../etc/passwd")]),
        )
    ),
    Case(
        "ROUTE_MODE_UNKNOWN", app(routes=[route(mode="edge")]), app(routes=[route(mode="live")]), Severity.WARNING
    ),
    Case(
        "AUTH_USER_ENTITY_NOT_FOUND",
        app(auth={"user": {"entity": "Account"}}),
        app(auth={"user": {"entity": "Note"}}),
        Severity.WARNING,
    ),
    Case(
        "AUTH_USER_FIELD_NOT_FOUND",
        app(auth={"user": {"entity": "Note", "hide": ["titel"]}}),
        app(auth={"user": {"entity": "Note", "hide": ["title"]}}),
        Severity.WARNING,
    ),
    Case(
        "AUTH_USER_FIELD_NOT_FOUND",
        app(auth={"user": {"entity": "Note", "expose": ["id", "body"]}}),
        app(auth={"user": {"entity": "Note", "expose": ["id", "title"]}}),
        Severity.WARNING,
    ),
]
