"""Counts, sums and the like over the rows a caller may read: ``POST /api/aggregate/<entity>`` (contract 01 §9)."""

from typing import Any

import msgspec

from pylon_auth import AuthContext
from pylon_core import jsontext
from pylon_http import Response
from pylon_http.aggregates import Aggregation, parse_aggregation
from pylon_http.errors import unknown_field
from pylon_http.where import AllOf, equal, fields_of
from pylon_router.context import Call, RouterContext
from pylon_router.reads import refuse_blind, refuse_secret_fields, truncation_headers
from pylon_router.table import Route
from pylon_router.tenants import may_hold_tenant

GROUPS_MAX = 10_000
"""The most groups of one answer."""

_TENANT_FIELD = "orgId"


def aggregate_rows(ctx: RouterContext, call: Call) -> Response:
    (entity,) = call.args
    auth = call.caller.auth
    document = jsontext.decode(call.body)
    refuse_blind(ctx, auth, entity)
    wanted = parse_aggregation(_of_the_callers_tenant(ctx, auth, entity, document))
    allowed = msgspec.structs.replace(_readable(ctx, auth, entity, wanted), limit=GROUPS_MAX + 1)
    with ctx.store.read() as reader:
        rows = reader.aggregate(entity, allowed)
    truncated = len(rows) > GROUPS_MAX
    return Response.json({"rows": rows[:GROUPS_MAX]}, headers=truncation_headers(truncated=truncated))


def readable_aggregation(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Aggregation) -> Aggregation:
    """The aggregation over the rows that the caller may read, of the tenant it acts for; of another's there are
    none. Raises what ``refuse_blind`` and ``refuse_secret_fields`` do."""
    refuse_blind(ctx, auth, entity)
    if auth.tenant_id is not None and may_hold_tenant(ctx.entity(entity).field(_TENANT_FIELD)):
        own = equal(_TENANT_FIELD, auth.tenant_id)
        wanted = msgspec.structs.replace(wanted, where=AllOf((wanted.where, own)))
    return _readable(ctx, auth, entity, wanted)


def _readable(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Aggregation) -> Aggregation:
    _refuse_secrets(ctx, auth, entity, wanted)
    return msgspec.structs.replace(wanted, condition=ctx.policies.read_condition(entity, auth))


def _of_the_callers_tenant(ctx: RouterContext, auth: AuthContext, entity: str, document: Any) -> Any:
    """What the caller asks of ``orgId`` gives way to the tenant it acts for (contract 04 §7). This only narrows:
    the read policy holds in any case."""
    field = ctx.entity(entity).field(_TENANT_FIELD)
    if auth.tenant_id is None or not may_hold_tenant(field) or not isinstance(document, dict):
        return document
    where = document.get("where")
    if where is None:
        where = {}
    if not isinstance(where, dict):  # refused when it is parsed
        return document
    return {**document, "where": {**where, _TENANT_FIELD: auth.tenant_id}}


def _refuse_secrets(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Aggregation) -> None:
    """The admin may ask about a secret field, but its values leave for nobody."""
    measured = [measure.field for measure in wanted.measures if measure.field is not None]
    refuse_secret_fields(ctx, auth, entity, [*measured, *fields_of(wanted.where)])
    secret = ctx.secrets.get(entity, frozenset())
    for field in wanted.shown_fields:
        if field in secret:
            raise unknown_field(entity, field)


ROUTES = (Route("POST", "/api/aggregate/<entity>", aggregate_rows),)
