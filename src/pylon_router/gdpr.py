"""What the app holds about one person, to be handed over or erased (contract 01 §20).

That is the row of the user entity, every row that refers to it, by a field of type ``id(<user entity>)`` or by the
name of a field, the sessions, and whatever else keeps data by user: each a ``PersonalData``. Another person's row
in the user entity is that person's, whatever it refers to.
"""

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from pylon_core import jsontext
from pylon_core.clock import rfc3339_s
from pylon_core.errors import PylonError
from pylon_core.manifest import TEXT_KINDS, EntityDef
from pylon_http import Filter, Response, StreamedResponse, TxStore
from pylon_http.where import AnyOf, equal
from pylon_router.context import Call, PersonalData, RouterContext, require_admin
from pylon_router.row_pages import PLACE_SECONDS, array_pieces, row_texts
from pylon_router.table import Route
from pylon_router.user_files import UserFiles

OWNER_FIELDS = frozenset(
    {"userId", "user_id", "authorId", "author_id", "ownerId", "owner_id", "createdBy", "created_by"}
)
"""Names of fields that hold a user's id whatever their type says."""

_DELETE_ROWS = 500


def export_user(ctx: RouterContext, call: Call) -> StreamedResponse:
    return StreamedResponse(partial(_document, ctx, _user_id(call)))


def purge_user(ctx: RouterContext, call: Call) -> Response:
    """Sessions first, so that nobody goes on writing as this user; then the rows, all or none."""
    user_id = _user_id(call)
    sessions_revoked = ctx.sessions.revoke_all(user_id)
    rows_deleted = ctx.store.transact(partial(_delete_rows, ctx=ctx, user_id=user_id))
    return Response.json(
        {
            "user_id": user_id,
            "rows_deleted": rows_deleted,
            "sessions_revoked": sessions_revoked,
            "errors": _erase_others(ctx, user_id),
            "purged_at": rfc3339_s(ctx.clock.now_ns()),
        }
    )


def rows_of(user_entity: str, entity: EntityDef, user_id: str) -> Filter | None:
    """The rows of an entity that are about this user; ``None`` when none can be."""
    if entity.name == user_entity:
        return Filter(where=equal("id", user_id))
    fields = [
        field.name
        for field in entity.fields
        if field.id_target == user_entity or (field.name in OWNER_FIELDS and field.kind in TEXT_KINDS)
    ]
    return Filter(where=AnyOf(tuple(equal(field, user_id) for field in fields))) if fields else None


def _user_id(call: Call) -> str:
    require_admin(call)
    (user_id,) = call.args
    if "\0" in user_id:  # no text of a database holds it
        raise PylonError("INVALID_ID", "This cannot be the id of a user.")
    return user_id


def _tables(ctx: RouterContext, user_id: str) -> Iterator[tuple[str, Filter]]:
    for entity in sorted(ctx.manifest.entities, key=lambda entity: entity.name):
        wanted = rows_of(ctx.manifest.auth.user.entity, entity, user_id)
        if wanted is not None:
            yield entity.name, wanted


def _document(ctx: RouterContext, user_id: str) -> Generator[bytes, None, None]:
    head = {"user_id": user_id, "exported_at": rfc3339_s(ctx.clock.now_ns())}
    yield jsontext.encode(head)[:-1] + b',"entities":{'
    with ctx.store.long_work(PLACE_SECONDS), ctx.store.read() as reader:
        separator = b""
        for entity, wanted in _tables(ctx, user_id):
            texts = row_texts(reader, entity, wanted, partial(ctx.project, entity))
            first = next(texts, None)
            if first is not None:
                yield separator + jsontext.encode(entity) + b":"
                yield from (piece.text for piece in array_pieces(chain([first], texts)))
                separator = b","
    others = {"sessions": _sessions(ctx, user_id)}
    others |= {data.name: data.export(user_id) for data in _personal_data(ctx)}
    yield b"}," + jsontext.encode(others)[1:]


def _sessions(ctx: RouterContext, user_id: str) -> Sequence[Any]:
    return [
        {
            "id": session.id,
            "device": session.device,
            "tenant_id": session.tenant_id,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
        }
        for session in ctx.sessions.sessions_of(user_id)
    ]


def _personal_data(ctx: RouterContext) -> Iterator[PersonalData]:
    if ctx.files is not None:
        yield UserFiles(ctx.files)
    yield from ctx.personal_data


def _delete_rows(tx: TxStore, *, ctx: RouterContext, user_id: str) -> int:
    deleted: dict[str, list[str]] = {}
    for entity, wanted in _tables(ctx, user_id):
        page = Filter(where=wanted.where, limit=_DELETE_ROWS)
        while row_ids := [row["id"] for row in tx.query(entity, page)]:
            for row_id in row_ids:
                tx.delete(entity, row_id)
            deleted.setdefault(entity, []).extend(row_ids)
    tx.forget(deleted)
    return sum(map(len, deleted.values()))


def _erase_others(ctx: RouterContext, user_id: str) -> list[str]:
    """What could not be erased; asking again goes on from there."""
    errors: list[str] = []
    for data in _personal_data(ctx):
        try:
            data.erase(user_id)
        except PylonError as error:
            errors.append(f"{data.name}: {error.message}")
    return errors


ROUTES = (
    Route("POST", "/api/admin/users/<id>/export", export_user),
    Route("DELETE", "/api/admin/users/<id>/purge", purge_user),
)
