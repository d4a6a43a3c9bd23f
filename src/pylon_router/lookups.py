"""A row by the value of a field: ``GET /api/lookup/<entity>/<field>/<value>`` (contract 01 §8).

Only rows that the caller may read are looked at, so a hidden one and one that is not there are answered alike.
"""

from pylon_http import Response
from pylon_router.context import Call, RouterContext
from pylon_router.reads import absent_row, refuse_blind, refuse_secret_fields
from pylon_router.table import Route


def find_row(ctx: RouterContext, call: Call) -> Response:
    entity, field, value = call.args
    auth = call.caller.auth
    refuse_blind(ctx, auth, entity)
    refuse_secret_fields(ctx, auth, entity, [field])
    condition = ctx.policies.read_condition(entity, auth)
    with ctx.store.read() as reader:
        row = reader.lookup(entity, field, value, condition)
    if row is None:
        raise absent_row(ctx, auth, entity)
    return Response.json(ctx.project(entity, row))


ROUTES = (Route("GET", "/api/lookup/<entity>/<field>/<value...>", find_row),)
