"""What a client asks for with a live query: parsed, and refused, as on ``POST /api/query/<entity>``.

The server's hub calls this on the thread that reads the client's socket; nothing is read from the store here. A
value that does not fit its field is for the store to refuse, when the rows are read for the first time.
"""

from collections.abc import Mapping
from typing import Any

from pylon_auth import AuthContext
from pylon_http import Filter
from pylon_http.documents import malformed
from pylon_http.filters import parse_filter, parse_where
from pylon_http.where import searches_of
from pylon_router.context import RouterContext
from pylon_router.params import ROWS_MAX
from pylon_router.reads import readable
from pylon_sync.live import LiveQuery


def parse_live_query(message: Mapping[str, Any]) -> LiveQuery:
    """The ``entity``, ``where``, ``order`` and ``limit`` of a message; a member that is null counts as absent.

    Raises INVALID_QUERY.
    """
    entity = message.get("entity")
    if not isinstance(entity, str):
        raise malformed("entity must be a string.")
    options = parse_filter({"$order": message.get("order"), "$limit": message.get("limit")})
    limit = ROWS_MAX if options.limit is None else options.limit
    if not 1 <= limit <= ROWS_MAX:
        raise malformed(f"The limit of a live query is from 1 to {ROWS_MAX}.")
    where = parse_where({} if message.get("where") is None else message["where"])
    if next(searches_of(where), None) is not None:
        raise malformed("A live query takes no $search.")
    return LiveQuery(entity, where, options.order, limit)


def readable_rows(ctx: RouterContext, auth: AuthContext, query: LiveQuery) -> Filter:
    """The query's rows as far as the caller may read them, without a limit.

    Raises ENTITY_NOT_FOUND; POLICY_DENIED to a caller who can read no row of the entity; INVALID_COLUMN for a
    field that the caller may not read.
    """
    return readable(ctx, auth, query.entity, Filter(where=query.where, order=query.order))
