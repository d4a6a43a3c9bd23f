"""The routes that name no entity: sessions, replicas, graphs, links, functions, files, the server itself."""

from pylon_core.manifest import AppManifest
from pylon_router.openapi.entity_operations import AFTER, LIMIT, push_body
from pylon_router.openapi.operation import ROW_OF_ANY, Operation, Parameter
from pylon_router.openapi.schema import (
    ANYTHING,
    BINARY,
    BOOLEAN,
    DATE_TIME,
    INTEGER,
    JSON_OBJECT,
    NUMBER,
    STRING,
    YES,
    Schema,
    array,
    map_of,
    nullable,
    one_of,
    partial_record,
    record,
    whole,
)

_IDENTITY = record(
    {
        "user_id": nullable(STRING),
        "is_admin": BOOLEAN,
        "is_guest": BOOLEAN,
        "roles": array(STRING),
        "tenant_id": nullable(STRING),
    },
    ("user_id", "is_admin", "roles"),
)
_HEALTH = whole(
    status=one_of("ok", "unavailable"),
    database=one_of("ok", "unavailable"),
    uptime_secs=INTEGER,
    version=STRING,
)
_CURSOR = whole(last_seq=INTEGER)
_CHANGE = record(
    {
        "seq": INTEGER,
        "entity": STRING,
        "row_id": STRING,
        "kind": one_of("insert", "update", "delete"),
        "timestamp": DATE_TIME,
        "data": ROW_OF_ANY,
    },
    ("seq", "entity", "row_id", "kind", "timestamp"),
)
_PUSHED = record(
    {
        "op_id": nullable(STRING),
        "status": one_of("applied", "deduped", "failed"),
        "row_id": STRING,
        "error": STRING,
        "code": STRING,
    },
    ("op_id", "status", "row_id"),
)
_FILE = whole(
    id=STRING,
    name=STRING,
    content_type=STRING,
    size=INTEGER,
    private=BOOLEAN,
    user_id=STRING,
    created_at=DATE_TIME,
    url=STRING,
)
_FUNCTION = record(
    {
        "name": STRING,
        "fn_type": one_of("query", "mutation", "action"),
        "args_schema": JSON_OBJECT,
        "internal": BOOLEAN,
        "returns": JSON_OBJECT,
    },
    ("name", "fn_type"),
)
_TRACE = record(
    {
        "call_id": STRING,
        "fn_name": STRING,
        "fn_type": one_of("query", "mutation", "action", "workflow"),
        "user_id": nullable(STRING),
        "started_at": INTEGER,
        "duration_ms": NUMBER,
        "outcome": record({"status": STRING, "value": ANYTHING, "code": STRING, "message": STRING}, ("status",)),
        "ops": array(JSON_OBJECT),
        "stream_bytes": INTEGER,
        "stream_chunks": INTEGER,
        "schedules": array(JSON_OBJECT),
        "ops_omitted": INTEGER,
    },
    ("call_id", "fn_name", "fn_type", "user_id", "started_at", "duration_ms", "outcome", "ops"),
)

Operations = dict[tuple[str, str], Operation]


def app_operations(manifest: AppManifest) -> Operations:
    entities = [entity.name for entity in manifest.entities]
    return _AROUND | _SESSIONS | _replicas(entities) | _reads(entities) | _links(entities) | _FUNCTIONS | _FILES


_AROUND: Operations = {
    ("GET", "/health"): Operation(
        summary="Whether the process answers, and whether requests should be sent to it.",
        tag="server",
        query=(Parameter("ready", one_of("1"), "With 1, 503 while the database is away."),),
        answers={200: _HEALTH, 503: _HEALTH},
    ),
    ("GET", "/api/manifest"): Operation(
        summary="What the app declares, without the rules of its policies.",
        tag="server",
        query=(Parameter("full", STRING, "With 1 the administrator gets the rules too."),),
        answers={200: JSON_OBJECT},
    ),
    ("GET", "/api/openapi.json"): Operation(summary="This document.", tag="server", answers={200: JSON_OBJECT}),
    ("POST", "/api/__test__/reset"): Operation(
        summary="Empty an in-memory database, in development mode, from the same machine.",
        tag="server",
        answers={200: whole(reset=YES)},
    ),
}
_SESSIONS: Operations = {
    ("GET", "/api/auth/me"): Operation(summary="Who the caller is.", tag="sessions", answers={200: _IDENTITY}),
    ("GET", "/api/auth/session"): Operation(
        summary="Who the caller is, and its row of the user entity.",
        tag="sessions",
        answers={200: whole(session=_IDENTITY, user=nullable(JSON_OBJECT))},
    ),
    ("POST", "/api/auth/session"): Operation(
        summary="Sign in as anyone: in development mode, and for the administrator.",
        tag="sessions",
        body=partial_record({"user_id": STRING}, ("user_id",)),
        answers={201: whole(token=STRING, user_id=STRING, expires_at=INTEGER)},
    ),
    ("DELETE", "/api/auth/session"): Operation(
        summary="Sign out.", tag="sessions", answers={200: whole(revoked=YES)}
    ),
    ("POST", "/api/auth/guest"): Operation(
        summary="Sign in as nobody in particular.",
        tag="sessions",
        answers={201: whole(token=STRING, user_id=STRING, guest=YES)},
    ),
}
_FUNCTIONS: Operations = {
    ("GET", "/api/fn"): Operation(
        summary="The functions there are.", tag="functions", answers={200: array(_FUNCTION)}, admin=True
    ),
    ("GET", "/api/fn/traces"): Operation(
        summary="What became of the last calls, newest first.",
        tag="functions",
        query=(Parameter("limit", INTEGER, "At most 500; 50 without it."),),
        answers={200: array(_TRACE)},
        admin=True,
    ),
    ("POST", "/api/fn/<name>"): Operation(
        summary="Call a function; with Accept: text/event-stream, hear what it streams.",
        tag="functions",
        body=ANYTHING,
        body_required=False,
        answers={200: ANYTHING},
        refusals=(502, 504),
    ),
} | {
    (method, "/api/webhooks/<name>"): Operation(
        summary="Call an action with the request as it is.",
        tag="functions",
        body=None if method in ("GET", "DELETE") else BINARY,
        body_required=False,
        body_media=("*/*",),
        answers={200: ANYTHING},
        refusals=(502, 504),
    )
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
}
_FILES: Operations = {
    ("POST", "/api/files/upload"): Operation(
        summary="Store a file: the body, or the one file of a form.",
        tag="files",
        query=(Parameter("private", STRING, "With 1 only its owner can read it."),),
        body=BINARY,
        body_required=False,
        body_media=("application/octet-stream", "multipart/form-data"),
        answers={201: whole(id=STRING, size=INTEGER, url=STRING)},
    ),
    ("GET", "/api/files"): Operation(
        summary="The caller's files.",
        tag="files",
        query=(AFTER, LIMIT, Parameter("user_id", STRING, "Whose files; for the administrator.")),
        answers={200: whole(data=array(_FILE), has_more=BOOLEAN, next_cursor=nullable(STRING))},
    ),
    ("GET", "/api/files/<id>"): Operation(
        summary="The bytes of a file, or of a range of it.",
        tag="files",
        answers={200: BINARY, 206: BINARY, 304: None},
        answer_media="*/*",
        refusals=(416,),
    ),
    ("DELETE", "/api/files/<id>"): Operation(
        summary="Remove a file.", tag="files", answers={200: whole(deleted=YES)}
    ),
}


def _replicas(entities: list[str]) -> Operations:
    pushed = whole(applied=INTEGER, deduped=INTEGER, errors=array(STRING), results=array(_PUSHED), cursor=_CURSOR)
    return {
        ("GET", "/api/sync/pull"): Operation(
            summary="The changes behind a cursor that the caller may see.",
            tag="replicas",
            query=(Parameter("since", INTEGER, "The cursor; 0 from the start."),),
            answers={200: whole(changes=array(_CHANGE), cursor=_CURSOR, has_more=BOOLEAN)},
            refusals=(410,),
        ),
        ("POST", "/api/sync/push"): Operation(
            summary="Apply a replica's changes in order until one is refused.",
            tag="replicas",
            body=push_body(entities),
            answers={200: pushed},
        ),
    }


def _reads(entities: list[str]) -> Operations:
    selection: Schema = partial_record({"where": JSON_OBJECT, "include": JSON_OBJECT, "limit": INTEGER})
    return {
        ("POST", "/api/query"): Operation(
            summary="Rows of several entities, each with the rows it is related to.",
            tag="graphs",
            body=record(dict.fromkeys(entities, selection)),
            answers={200: map_of(array(ROW_OF_ANY))},
            truncates=True,
        ),
    }


def _links(entities: list[str]) -> Operations:
    ends: dict[str, Schema] = {"entity": one_of(*entities), "id": STRING, "relation": STRING}
    linked = {**ends, "target_id": STRING}
    return {
        ("POST", "/api/link"): Operation(
            summary="Let a relation of a row lead to another.",
            tag="graphs",
            body=partial_record(linked, linked),
            answers={200: whole(linked=YES)},
            refusals=(409,),
        ),
        ("POST", "/api/unlink"): Operation(
            summary="Let a relation of a row lead nowhere.",
            tag="graphs",
            body=partial_record(linked, ends),
            answers={200: whole(unlinked=YES)},
            refusals=(409,),
        ),
    }
