"""All rows of the app, or of one entity, as one JSON document: ``/api/export`` (contract 01 §13).

Made while it is sent, from one snapshot of the database. For the administrator: policies and secret fields
do not count. The same rows always give the same bytes, ``exported_at`` aside; ``/api/import`` takes them back.
"""

from collections.abc import Generator, Sequence
from functools import partial

from pylon_core import jsontext
from pylon_core.clock import rfc3339_s
from pylon_http import Filter, StreamedResponse
from pylon_router.context import Call, RouterContext, require_admin
from pylon_router.row_pages import PLACE_SECONDS, array_pieces, row_texts
from pylon_router.table import Route


def export_everything(ctx: RouterContext, call: Call) -> StreamedResponse:
    require_admin(call)
    entities = sorted(entity.name for entity in ctx.manifest.entities)
    return StreamedResponse(partial(_document, ctx, entities))


def export_entity(ctx: RouterContext, call: Call) -> StreamedResponse:
    require_admin(call)
    entity = ctx.entity(call.args[0])
    return StreamedResponse(partial(_document, ctx, [entity.name]))


def _document(ctx: RouterContext, entities: Sequence[str]) -> Generator[bytes, None, None]:
    counts: dict[str, int] = {}
    with ctx.store.long_work(PLACE_SECONDS), ctx.store.read() as reader:
        exported_at = rfc3339_s(ctx.clock.now_ns())
        opening = b'{"entities":{'
        for entity in entities:
            yield opening + jsontext.encode(entity) + b":"
            counts[entity] = 0
            for piece in array_pieces(row_texts(reader, entity, Filter())):
                counts[entity] += piece.rows
                yield piece.text
            opening = b","
    end = {"counts": counts, "exported_at": exported_at}
    yield b"}," + jsontext.encode(end)[1:]


ROUTES = (
    Route("GET", "/api/export", export_everything),
    Route("GET", "/api/export/<entity>", export_entity),
)
