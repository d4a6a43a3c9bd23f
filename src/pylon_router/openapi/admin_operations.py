"""The administrator's routes."""

from collections.abc import Mapping

from pylon_core.manifest import AppManifest
from pylon_router.openapi.entity_operations import EXPORT, operations_body
from pylon_router.openapi.operation import ROW_OF_ANY, Operation
from pylon_router.openapi.schema import (
    BOOLEAN,
    INTEGER,
    NO,
    STRING,
    YES,
    any_of,
    array,
    map_of,
    nullable,
    partial_record,
    record,
    whole,
)

TAG = "administration"

_FAILED = whole(op=nullable(STRING), error=STRING, code=STRING)
_DONE = record({"op": STRING, "id": STRING, "updated": BOOLEAN, "deleted": BOOLEAN}, ("op", "id"))
_BATCH_RESULT = any_of(
    whole(op=STRING, ok=YES, id=STRING),
    record(
        {"op": nullable(STRING), "ok": NO, "id": STRING, "error": STRING, "code": STRING}, ("op", "ok", "error")
    ),
)
_IMPORTED = whole(
    by_entity=array(whole(entity=STRING, failed=INTEGER, inserted=INTEGER)),
    errors=array(whole(entity=STRING, id={}, code=STRING, message=STRING)),
    failed=INTEGER,
    imported=INTEGER,
)
_PURGED = whole(
    user_id=STRING, rows_deleted=INTEGER, sessions_revoked=INTEGER, errors=array(STRING), purged_at=STRING
)
_PERSONAL_DATA = partial_record(
    {
        "user_id": STRING,
        "exported_at": STRING,
        "entities": map_of(array(ROW_OF_ANY)),
        "sessions": array(ROW_OF_ANY),
        "files": array(ROW_OF_ANY),
    },
    ("user_id", "exported_at", "entities", "sessions"),
)


def admin_operations(manifest: AppManifest) -> Mapping[tuple[str, str], Operation]:
    operations = operations_body([entity.name for entity in manifest.entities])
    return {
        ("POST", "/api/batch"): Operation(
            summary="Many writes, each for itself.",
            tag=TAG,
            body=partial_record({"operations": operations}, ("operations",)),
            answers={200: whole(failed=INTEGER, results=array(_BATCH_RESULT), succeeded=INTEGER)},
            admin=True,
        ),
        ("POST", "/api/transact"): Operation(
            summary="Many writes, all or none.",
            tag=TAG,
            body=operations,
            answers={
                200: whole(committed=YES, results=array(_DONE)),
                400: whole(committed=NO, results=array(any_of(_DONE, _FAILED))),
            },
            admin=True,
        ),
        ("GET", "/api/export"): Operation(summary="All rows.", tag=TAG, answers={200: EXPORT}, admin=True),
        ("POST", "/api/import"): Operation(
            summary="Store rows under the ids they have; takes what an export gave.",
            tag=TAG,
            body=partial_record({"entities": map_of(array(ROW_OF_ANY))}, ("entities",)),
            answers={200: _IMPORTED},
            admin=True,
        ),
        ("POST", "/api/admin/users/<id>/export"): Operation(
            summary="What there is about a user.", tag=TAG, answers={200: _PERSONAL_DATA}, admin=True
        ),
        ("DELETE", "/api/admin/users/<id>/purge"): Operation(
            summary="Erase what there is about a user.", tag=TAG, answers={200: _PURGED}, admin=True
        ),
        ("GET", "/api/admin/auth/<table>"): _table("sessions, accounts, oauth_state, magic_codes"),
        ("GET", "/api/admin/ops/<table>"): _table("jobs, workflows, scheduler, search_indexes"),
    }


def _table(names: str) -> Operation:
    return Operation(
        summary=f"One of the server's own tables: {names}.",
        tag=TAG,
        answers={200: array(ROW_OF_ANY)},
        admin=True,
    )
