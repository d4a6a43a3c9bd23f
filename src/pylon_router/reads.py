"""The read rules every route shares: which rows a caller may read, which fields they may ask about.

A list is filtered in the statement, so its limit and its pages are right; a caller who can read no row at all
is refused instead. Secret fields are unknown to everyone but the admin, so that no filter or sort is an oracle.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from pylon_auth import AuthContext
from pylon_core.errors import PylonError
from pylon_core.manifest import RelationDef
from pylon_http import Filter, Row
from pylon_http.errors import unknown_field
from pylon_http.relations import holder, unknown_relation
from pylon_http.rows import ANSWER_CHARS_MAX
from pylon_http.where import fields_of
from pylon_policy import denial
from pylon_router.context import RouterContext
from pylon_router.params import ROWS_MAX


def absent_row(ctx: RouterContext, auth: AuthContext, entity: str) -> PylonError:
    """The answer for a row that is not there: to a caller who cannot read every row, that of a hidden one."""
    if ctx.policies.never_reads(entity, auth) or ctx.policies.read_condition(entity, auth) is not None:
        return denial()
    return PylonError("NOT_FOUND", f"There is no such row in {entity}.")


def refuse_blind(ctx: RouterContext, auth: AuthContext, entity: str) -> None:
    """Raises POLICY_DENIED to a caller who can read no row of the entity, ever; ENTITY_NOT_FOUND."""
    ctx.entity(entity)
    if ctx.policies.never_reads(entity, auth):
        raise denial()


def readable(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Filter) -> Filter:
    """The wanted rows as far as the caller may read them. Raises what ``refuse_blind`` and ``narrowed`` raise."""
    refuse_blind(ctx, auth, entity)
    return narrowed(ctx, auth, entity, wanted)


def narrowed(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Filter) -> Filter:
    """The wanted rows as far as the caller may read them, which may be none.

    Raises INVALID_COLUMN when the filter looks at a field the caller may not read.
    """
    refuse_secret_fields(ctx, auth, entity, [*fields_of(wanted.where), *(field for field, _ in wanted.order)])
    condition = ctx.policies.read_condition(entity, auth)
    return msgspec.structs.replace(wanted, condition=condition, chars_max=ANSWER_CHARS_MAX)


class Found(NamedTuple):
    """Readable rows; whether there were too many; how many there are without a window, if that was asked."""

    rows: list[Row]
    truncated: bool
    total: int | None


def find_rows(ctx: RouterContext, auth: AuthContext, entity: str, wanted: Filter, *, count: bool = False) -> Found:
    """The readable rows of a filter, at most ``ROWS_MAX``; all numbers are of one state of the database."""
    bounded = wanted.limit is not None and wanted.limit <= ROWS_MAX
    if not bounded:
        wanted = msgspec.structs.replace(wanted, limit=ROWS_MAX + 1)
    allowed = readable(ctx, auth, entity, wanted)
    with ctx.store.read() as reader:
        rows = reader.query(entity, allowed)
        total = reader.count(entity, allowed) if count else None
    truncated = not bounded and len(rows) > ROWS_MAX
    return Found(rows[:ROWS_MAX] if truncated else rows, truncated, total)


def refuse_secret_fields(ctx: RouterContext, auth: AuthContext, entity: str, fields: Iterable[str]) -> None:
    """Raises for a secret field what the store raises for one that does not exist."""
    if entity not in ctx.secrets or auth.is_admin:
        return
    for field in fields:
        if is_secret(ctx, auth, entity, field):
            raise unknown_field(entity, field)


def refuse_secret_relation(ctx: RouterContext, auth: AuthContext, entity: str, relation: RelationDef) -> None:
    """Raises for a relation over a secret field what is raised for one that does not exist."""
    if is_secret(ctx, auth, holder(entity, relation), relation.field):
        raise unknown_relation(entity, relation.name)


def is_secret(ctx: RouterContext, auth: AuthContext, entity: str, field: str) -> bool:
    """Whether the caller may not even ask about the field."""
    return not auth.is_admin and field in ctx.secrets.get(entity, ())


def projected(ctx: RouterContext, entity: str, rows: list[Row]) -> list[Any]:
    if entity not in ctx.secrets:
        return rows
    return [ctx.project(entity, row) for row in rows]


def truncation_headers(*, truncated: bool) -> tuple[tuple[str, str], ...]:
    return (("X-Pylon-Truncated", "true"),) if truncated else ()


def answer_to_writer(ctx: RouterContext, auth: AuthContext, entity: str, row: Row) -> Mapping[str, Any]:
    """A row just written, as its writer may see it: one who may write but not read it learns its id only."""
    if not ctx.policies.may_read(entity, auth, row):
        return {"id": row["id"]}
    return ctx.project(entity, row)
