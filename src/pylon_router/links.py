"""Linking two rows: ``POST /api/link`` and ``/api/unlink`` (contract 01 §10).

A link is a field of a row, so making or ending one is an update of that row, with its policy and its change event:
of the row named, or with a ``many`` relation of the target. The other row must be one that the caller may read;
whether it is hidden or not there cannot be told apart.
"""

from typing import Any

import msgspec

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_core.manifest import RelationDef
from pylon_http import Answer, PendingResponse, Response, Row, TxStore
from pylon_http.relations import find_relation, reference
from pylon_router.context import Call, RouterContext
from pylon_router.reads import absent_row, refuse_secret_relation
from pylon_router.table import Route
from pylon_router.writes import WritePipeline


class _Link(msgspec.Struct, frozen=True):
    """Two rows, from the side that declares the relation. Ending a link to one needs no ``target_id``."""

    entity: str
    id: str
    relation: RelationDef
    target_id: str | None


def link_rows(ctx: RouterContext, call: Call) -> Answer:
    auth = call.caller.auth
    wanted = _parse(ctx, auth, call.body)
    if wanted.target_id is None:
        raise _missing("target_id")
    return PendingResponse(
        ctx.store, lambda tx: _link(ctx, auth, tx, wanted), lambda _: Response.json({"linked": True})
    )


def unlink_rows(ctx: RouterContext, call: Call) -> Answer:
    auth = call.caller.auth
    wanted = _parse(ctx, auth, call.body)
    if wanted.target_id is None and wanted.relation.many:
        raise _missing("target_id")
    return PendingResponse(
        ctx.store, lambda tx: _unlink(ctx, auth, tx, wanted), lambda _: Response.json({"unlinked": True})
    )


def _link(ctx: RouterContext, auth: AuthContext, tx: TxStore, wanted: _Link) -> None:
    relation, target_id = wanted.relation, wanted.target_id
    assert target_id is not None  # checked with the body
    if relation.many and not _is_readable(ctx, auth, wanted.entity, tx.get(wanted.entity, wanted.id)):
        raise absent_row(ctx, auth, wanted.entity)
    if not _is_readable(ctx, auth, relation.target, tx.get(relation.target, target_id)):
        raise _no_target(relation)
    held = reference(wanted.entity, wanted.id, relation, target_id)
    WritePipeline(ctx, auth).update(tx, held.entity, held.row_id, {held.field: held.target_id})


def _unlink(ctx: RouterContext, auth: AuthContext, tx: TxStore, wanted: _Link) -> None:
    """Raises NOT_FOUND for rows that are not linked, once the caller is known to be allowed to end the link."""
    relation, target_id = wanted.relation, wanted.target_id
    writes = WritePipeline(ctx, auth)
    if target_id is None:
        writes.update(tx, wanted.entity, wanted.id, {relation.field: None})
        return
    held = reference(wanted.entity, wanted.id, relation, target_id)
    before = tx.get(held.entity, held.row_id)
    if relation.many and not _is_readable(ctx, auth, held.entity, before):
        raise _no_target(relation)
    if before is not None and not _is_readable(ctx, auth, held.entity, before):
        raise absent_row(ctx, auth, held.entity)  # who may only write it may not guess where it leads
    writes.update(tx, held.entity, held.row_id, {held.field: None})
    if before is None or before[held.field] != held.target_id:
        raise _no_target(relation)


def _is_readable(ctx: RouterContext, auth: AuthContext, entity: str, row: Row | None) -> bool:
    return row is not None and ctx.policies.may_read(entity, auth, row)


def _no_target(relation: RelationDef) -> PylonError:
    return PylonError("NOT_FOUND", f"There is no such row in {relation.target}.")


def _parse(ctx: RouterContext, auth: AuthContext, body: bytes) -> _Link:
    members = jsontext.decode_object(body)
    entity, row_id, name = (_required(members, member) for member in ("entity", "id", "relation"))
    relation = find_relation(ctx.manifest, entity, name)
    refuse_secret_relation(ctx, auth, entity, relation)
    return _Link(entity, row_id, relation, _text(members, "target_id"))


def _required(members: dict[str, Any], name: str) -> str:
    value = _text(members, name)
    if value is None:
        raise _missing(name)
    return value


def _text(members: dict[str, Any], name: str) -> str | None:
    """``None`` for a member that is not there, or says nothing."""
    value = members.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise PylonError("INVALID_DATA", f"{name} must be a string.")


def _missing(name: str) -> PylonError:
    return PylonError("MISSING_FIELD", f"{name} is missing.")


ROUTES = (
    Route("POST", "/api/link", link_rows),
    Route("POST", "/api/unlink", unlink_rows),
)
