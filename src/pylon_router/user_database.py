"""The database with the rights of one user, for functions that act as their caller (``ctx.asUser()``).

The same rules as for the user's own requests, since the same code decides: ``reads`` and ``writes``. A refused
write is undone by itself, because a function may go on after it. Two answers differ, as a function asks for rows
and not for a status: a row that is hidden or not there is ``None``, and lists are not cut off.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pylon_auth import AuthContext
from pylon_core.errors import PylonError
from pylon_functions.as_user import Guard
from pylon_functions.database import read_graph
from pylon_http import Aggregation, Filter, Reader, Row, TxStore
from pylon_http.graph import Selection
from pylon_http.relations import find_relation
from pylon_http.search import Search, SearchPage
from pylon_http.where import Scalar
from pylon_router.aggregates import readable_aggregation
from pylon_router.context import RouterContext
from pylon_router.graph import readable_graph
from pylon_router.reads import (
    projected,
    readable,
    refuse_blind,
    refuse_secret_fields,
    refuse_secret_relation,
)
from pylon_router.search import readable_search
from pylon_router.writes import WritePipeline


class UserReader:
    """Used by one thread at a time, as long as the reader it stands on."""

    def __init__(self, ctx: RouterContext, auth: AuthContext, reader: Reader) -> None:
        self._ctx = ctx
        self._auth = auth
        self._reader = reader

    def get(self, entity: str, row_id: str) -> Row | None:
        refuse_blind(self._ctx, self._auth, entity)
        row = self._reader.get(entity, row_id)
        if row is None or not self._ctx.policies.may_read(entity, self._auth, row):
            return None
        return self._shown(entity, row)

    def query(self, entity: str, rows: Filter) -> list[Row]:
        allowed = readable(self._ctx, self._auth, entity, rows)
        return projected(self._ctx, entity, self._reader.query(entity, allowed))

    def lookup(self, entity: str, field: str, value: Scalar) -> Row | None:
        refuse_blind(self._ctx, self._auth, entity)
        refuse_secret_fields(self._ctx, self._auth, entity, [field])
        condition = self._ctx.policies.read_condition(entity, self._auth)
        row = self._reader.lookup(entity, field, value, condition)
        return None if row is None else self._shown(entity, row)

    def aggregate(self, entity: str, wanted: Aggregation) -> list[Row]:
        return self._reader.aggregate(entity, readable_aggregation(self._ctx, self._auth, entity, wanted))

    def search(self, entity: str, wanted: Search) -> SearchPage:
        page = self._reader.search(entity, readable_search(self._ctx, self._auth, entity, wanted))
        return msgspec.structs.replace(page, hits=projected(self._ctx, entity, page.hits))

    def graph(self, graph: Sequence[Selection]) -> Any:
        return read_graph(self._reader, readable_graph(self._ctx, self._auth, graph), self._ctx.project)

    def check_relation(self, entity: str, name: str) -> None:
        refuse_secret_relation(self._ctx, self._auth, entity, find_relation(self._ctx.manifest, entity, name))

    def _shown(self, entity: str, row: Row) -> Row:
        return dict(self._ctx.project(entity, row))


class UserWriter(UserReader):
    def __init__(self, ctx: RouterContext, auth: AuthContext, tx: TxStore) -> None:
        super().__init__(ctx, auth, tx)
        self._tx = tx
        self._writes = WritePipeline(ctx, auth)

    def insert(self, entity: str, data: Mapping[str, Any]) -> Row:
        with self._tx.savepoint():
            return self._writes.insert(self._tx, entity, data)

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None:
        try:
            with self._tx.savepoint():
                return self._writes.update(self._tx, entity, row_id, patch)
        except PylonError as error:
            if error.code != "NOT_FOUND":
                raise
            return None

    def delete(self, entity: str, row_id: str) -> bool:
        try:
            with self._tx.savepoint():
                self._writes.delete(self._tx, entity, row_id)
        except PylonError as error:
            if error.code != "NOT_FOUND":
                raise
            return False
        return True


class UserGuard:
    """Any thread may call it."""

    def __init__(self, ctx: RouterContext) -> None:
        self._ctx = ctx

    def reader(self, reader: Reader, auth: AuthContext) -> UserReader:
        return UserReader(self._ctx, auth, reader)

    def writer(self, tx: TxStore, auth: AuthContext) -> UserWriter:
        return UserWriter(self._ctx, auth, tx)


_: type[Guard] = UserGuard
