"""The routes that carry an entity's name, described once per entity."""

from collections.abc import Callable, Mapping

from pylon_http import ChangeKind
from pylon_http.aggregates import Bucket
from pylon_router.openapi.entity_schemas import EntitySchemas
from pylon_router.openapi.operation import ROW_OF_ANY, Operation, Parameter
from pylon_router.openapi.schema import (
    BOOLEAN,
    INTEGER,
    JSON_OBJECT,
    STRING,
    YES,
    Schema,
    any_of,
    array,
    map_of,
    nullable,
    one_of,
    partial_record,
    record,
    whole,
)

ID_ONLY = whole(id=STRING)
"""What is answered to a writer who may not read the row."""

LIMIT = Parameter("limit", INTEGER, "How many rows at most.")
_OFFSET = Parameter("offset", INTEGER, "How many rows to skip.")
AFTER = Parameter("after", STRING, "The id behind which to go on.")

Describe = Callable[[EntitySchemas], Operation]


def _list(entity: EntitySchemas) -> Operation:
    window = whole(data=entity.rows, count=INTEGER, limit=nullable(INTEGER), offset=INTEGER)
    return Operation(
        summary=f"Rows of {entity.name} by id; an object when limit or offset is given.",
        tag=entity.name,
        query=(LIMIT, _OFFSET),
        answers={200: any_of(entity.rows, window)},
        truncates=True,
    )


def _create(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"Store a new row of {entity.name}.",
        tag=entity.name,
        body=entity.new(),
        answers={201: any_of(entity.row, ID_ONLY)},
        refusals=(409,),
    )


def _page(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"Rows of {entity.name} behind an id.",
        tag=entity.name,
        query=(AFTER, LIMIT),
        answers={200: whole(data=entity.rows, has_more=BOOLEAN, next_cursor=nullable(STRING))},
    )


def _get(entity: EntitySchemas) -> Operation:
    return Operation(summary=f"A row of {entity.name}.", tag=entity.name, answers={200: entity.row})


def _update(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"Change fields of a row of {entity.name}.",
        tag=entity.name,
        body=entity.patch(),
        answers={200: entity.updated()},
        refusals=(409,),
    )


def _delete(entity: EntitySchemas) -> Operation:
    return Operation(summary=f"Remove a row of {entity.name}.", tag=entity.name, answers={200: whole(deleted=YES)})


def _query(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"The rows of {entity.name} that a filter selects.",
        tag=entity.name,
        body=entity.filter(),
        answers={200: entity.rows},
        truncates=True,
    )


def _lookup(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"The first row of {entity.name} whose field has a value.",
        tag=entity.name,
        answers={200: entity.row},
    )


def _aggregate(entity: EntitySchemas) -> Operation:
    names = one_of("id", *(field.name for field in entity.shown))
    group = any_of(
        names, record({"field": names, "bucket": one_of(*(bucket.value for bucket in Bucket))}, ("field",))
    )
    members: dict[str, Schema] = {"count": STRING, "groupBy": array(group), "where": entity.filter(options=False)}
    members |= {name: array(names) for name in ("sum", "avg", "min", "max", "countDistinct")}
    return Operation(
        summary=f"Counts, sums and the like over rows of {entity.name}.",
        tag=entity.name,
        body=record(members),
        answers={200: whole(rows=array(ROW_OF_ANY))},
        truncates=True,
    )


def _search(entity: EntitySchemas) -> Operation:
    body = partial_record(
        {
            "query": STRING,
            "filters": JSON_OBJECT,
            "facets": array(STRING),
            "sort": nullable(array(STRING)),
            "page": INTEGER,
            "page_size": INTEGER,
            "pageSize": INTEGER,
        }
    )
    answer = whole(hits=entity.rows, total=INTEGER, facetCounts=map_of(map_of(INTEGER)), tookMs=INTEGER)
    return Operation(
        summary=f"Rows of {entity.name} that match a text, and how many for each facet.",
        tag=entity.name,
        body=body,
        answers={200: answer},
    )


def _merge(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"Take edits into the collaborative document of a row of {entity.name}.",
        tag=entity.name,
        body=partial_record({"update": STRING}, ("update",)),
        answers={200: whole(ok=YES)},
        refusals=(409,),
    )


def _export(entity: EntitySchemas) -> Operation:
    return Operation(
        summary=f"All rows of {entity.name}.",
        tag="administration",
        answers={200: EXPORT},
        admin=True,
    )


EXPORT = whole(entities=map_of(array(ROW_OF_ANY)), counts=map_of(INTEGER), exported_at=STRING)

ENTITY_OPERATIONS: Mapping[tuple[str, str], Describe] = {
    ("GET", "/api/entities/<entity>"): _list,
    ("POST", "/api/entities/<entity>"): _create,
    ("GET", "/api/entities/<entity>/cursor"): _page,
    ("GET", "/api/entities/<entity>/<id>"): _get,
    ("PATCH", "/api/entities/<entity>/<id>"): _update,
    ("DELETE", "/api/entities/<entity>/<id>"): _delete,
    ("POST", "/api/query/<entity>"): _query,
    ("GET", "/api/lookup/<entity>/<field>/<value...>"): _lookup,
    ("POST", "/api/aggregate/<entity>"): _aggregate,
    ("POST", "/api/search/<entity>"): _search,
    ("POST", "/api/crdt/<entity>/<row_id...>"): _merge,
    ("GET", "/api/export/<entity>"): _export,
}


def push_body(entities: list[str]) -> Schema:
    change = partial_record(
        {
            "entity": one_of(*entities),
            "row_id": STRING,
            "kind": one_of(*(kind.value for kind in ChangeKind)),
            "data": nullable(JSON_OBJECT),
            "op_id": nullable(STRING),
        },
        ("entity", "row_id", "kind"),
    )
    return partial_record({"changes": array(change), "client_id": nullable(STRING)}, ("changes",))


def operations_body(entities: list[str]) -> Schema:
    """What ``/api/batch`` and ``/api/transact`` take, as an array."""
    entity = one_of(*entities)
    insert = {"op": one_of("insert"), "entity": entity, "data": JSON_OBJECT}
    update = {"op": one_of("update"), "entity": entity, "id": STRING, "data": JSON_OBJECT}
    delete = {"op": one_of("delete"), "entity": entity, "id": STRING}
    return array(any_of(*(partial_record(operation, operation) for operation in (insert, update, delete))))
