"""Replicas: ``GET /api/sync/pull`` and ``POST /api/sync/push`` (contract 05 §4 and §5).

Pull needs no session: it shows what the caller may read. Push takes any identity, guests included, and sends
every change through the write pipeline, in as few transactions as do not keep others waiting.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import Answer, ChangeEvent, PendingResponse, Response, StreamedResponse, TxStore
from pylon_router.context import Call, RouterContext
from pylon_router.params import parse_query, whole_number
from pylon_router.table import Route
from pylon_router.writes import WritePipeline
from pylon_sync.pull import ChangeLog, PullPage, following, pull
from pylon_sync.push import PushChange, Pusher, PushOutcome, parse_push, push
from pylon_sync.wire import WireEvent, shown_event


def get_pull(ctx: RouterContext, call: Call) -> Answer:
    auth = call.caller.auth
    # The log outlives an entity that the manifest has dropped: nobody reads that one's rows.
    readers = {entity.name: ctx.policies.reader(entity.name, auth) for entity in ctx.manifest.entities}

    def show(event: ChangeEvent) -> WireEvent | None:
        may_read = readers.get(event.entity)
        return None if may_read is None else shown_event(event, may_read, ctx.project)

    page = pull(ctx.store, whole_number(parse_query(call.query), "since") or 0, show)
    if page.is_unfinished:
        return StreamedResponse(partial(_first_sync, ctx.store, page, show))
    return Response.json({"changes": page.changes, **_end(page)})


def _first_sync(
    log: ChangeLog, page: PullPage[WireEvent], show: Callable[[ChangeEvent], WireEvent | None]
) -> Generator[bytes, None, None]:
    """The same document as of one page. Nothing is held while the client takes a piece of it, save that piece."""
    yield b'{"changes":['
    separator = b""
    for part in chain([page], following(log, page, show)):
        if part.changes:
            yield separator + jsontext.encode(part.changes)[1:-1]
            separator = b","
        else:  # white space, so that between any two pages is time for others
            yield b"\n"
        page = part
    yield b"]," + jsontext.encode(_end(page))[1:]


def _end(page: PullPage[WireEvent]) -> dict[str, Any]:
    return {"cursor": {"last_seq": page.last_seq}, "has_more": page.has_more}


def post_push(ctx: RouterContext, call: Call) -> Answer:
    auth = call.caller.auth
    if auth.user_id is None:
        raise PylonError(
            "FORBIDDEN",
            "Pushing needs a session, a guest's included, or PYLON_ADMIN_TOKEN.",
            hint="POST /api/auth/guest gives one.",
        )
    request = parse_push(call.body)
    pusher = Pusher(auth.user_id, request.client_id)
    writes = WritePipeline(ctx, auth)

    def pushing(changes: Sequence[PushChange]) -> Callable[[TxStore], PushOutcome]:
        return partial(push, changes=changes, pusher=pusher, writes=writes, clock=ctx.clock)

    def pushed(outcome: PushOutcome) -> Response:
        while not outcome.errors and (left := request.changes[len(outcome.results) :]):
            outcome = outcome.followed_by(ctx.store.transact(pushing(left)))
        body: dict[str, Any] = {
            "applied": outcome.applied,
            "deduped": outcome.deduped,
            "errors": outcome.errors,
            "results": outcome.results,
            "cursor": {"last_seq": ctx.store.head()},
        }
        return Response.json(body)

    return PendingResponse(ctx.store, pushing(request.changes), pushed)


ROUTES = (
    Route("GET", "/api/sync/pull", get_pull),
    Route("POST", "/api/sync/push", post_push),
)
