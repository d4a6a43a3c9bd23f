"""The write pipeline: the one place where policy stands above the store's transaction (design §3.1).

Every caller-facing write goes through here, entity routes, links and push alike. A write is judged inside its
transaction and on rows as they are stored, so nothing can change between the judgement and the commit; a
refusal undoes it. A row of another tenant is refused first (``tenants``). A caller who is refused anyway is told
that and not what the store thought of the payload, so a unique field is no oracle.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pylon_auth import AuthContext
from pylon_core.errors import PylonError
from pylon_core.manifest import EntityDef
from pylon_http import DataError, MergeRehearsal, Row, TxStore
from pylon_policy import Operation
from pylon_router.context import RouterContext
from pylon_router.reads import absent_row, refuse_secret_fields
from pylon_router.tenants import TENANT_RULE, is_own, stamped

Payload = Mapping[str, Any]


class WritePipeline:
    """The writes of one identity; each method is called inside a transaction of the context's store.

    Raises POLICY_DENIED, NOT_FOUND (or POLICY_DENIED where that would tell of a hidden row) and whatever the
    store raises.
    """

    def __init__(self, ctx: RouterContext, auth: AuthContext) -> None:
        self._ctx = ctx
        self._auth = auth
        self._policies = ctx.policies

    def insert(self, tx: TxStore, entity: str, data: Payload, row_id: str | None = None) -> Row:
        """Store a new row, under ``row_id`` when given; an ``id`` in the data is ignored."""
        declared = self._ctx.entity(entity)
        own = stamped(declared, self._auth, data)
        self._check_tenant(declared, own, Operation.INSERT)
        try:
            refuse_secret_fields(self._ctx, self._auth, entity, data)
            row = tx.insert(entity, own, row_id)
        except DataError:
            candidate = {**dict.fromkeys(field.name for field in declared.fields), **own, "id": row_id}
            self._policies.check_insert(entity, self._auth, candidate, data)
            raise
        self._policies.check_insert(entity, self._auth, row, data)
        return row

    def update(self, tx: TxStore, entity: str, row_id: str, patch: Payload) -> Row:
        declared = self._ctx.entity(entity)
        existing = tx.get(entity, row_id)
        if existing is None:
            raise self._absent_for_update(entity, row_id, patch)
        self._check_tenant(declared, existing, Operation.UPDATE)
        self._check_tenant(declared, {**existing, **patch}, Operation.UPDATE)
        try:
            refuse_secret_fields(self._ctx, self._auth, entity, patch)
            row = tx.update(entity, row_id, patch)
        except DataError:
            candidate = {**existing, **patch, "id": row_id}
            self._policies.check_update(entity, self._auth, existing, candidate, patch)
            raise
        if row is None:
            raise absent_row(self._ctx, self._auth, entity)
        self._policies.check_update(entity, self._auth, existing, row, patch)
        return row

    def rehearse_merge(self, entity: str, row_id: str, update: bytes) -> MergeRehearsal:
        """Work out and judge what ``merge`` will do, before its transaction: merging may take long, and whoever
        may not, or sends what cannot be merged, is to keep nobody's writes waiting."""
        self._ctx.entity(entity)
        with self._ctx.store.read() as reader:
            rehearsal = reader.rehearse_merge(entity, row_id, update)
        if rehearsal is None:
            raise self._absent_for_update(entity, row_id, {})
        self._merged(entity, rehearsal.existing, rehearsal.row)
        return rehearsal

    def merge(self, tx: TxStore, entity: str, row_id: str, update: bytes, rehearsal: MergeRehearsal) -> Row:
        """Take a client's edits into the row's document (``TxStore.merge``)."""
        existing = tx.get(entity, row_id)
        if existing is None:
            raise self._absent_for_update(entity, row_id, {})
        return self._merged(entity, existing, lambda: tx.merge(entity, row_id, update, rehearsal))

    def _merged(self, entity: str, existing: Row, merge: Callable[[], Row | None]) -> Row:
        """The input that the policy judges is what the edits change; where they cannot be taken, none is known and
        it judges the row as it was."""
        declared = self._ctx.entity(entity)
        self._check_tenant(declared, existing, Operation.UPDATE)
        try:
            row = merge()
        except DataError:
            self._policies.check_update(entity, self._auth, existing, existing, {})
            raise
        if row is None:
            raise absent_row(self._ctx, self._auth, entity)
        self._check_tenant(declared, row, Operation.UPDATE)
        changed = {field: value for field, value in row.items() if value != existing[field]}
        self._policies.check_update(entity, self._auth, existing, row, changed)
        return row

    def delete(self, tx: TxStore, entity: str, row_id: str) -> None:
        declared = self._ctx.entity(entity)
        existing = tx.get(entity, row_id)
        if existing is None:
            # A rule that refuses without a row refuses here too; then a missing row looks like a hidden one.
            self._policies.check_delete(entity, self._auth, {"id": row_id})
            raise absent_row(self._ctx, self._auth, entity)
        self._check_tenant(declared, existing, Operation.DELETE)
        self._policies.check_delete(entity, self._auth, existing)
        tx.delete(entity, row_id)

    def _check_tenant(self, entity: EntityDef, row: Payload, operation: Operation) -> None:
        if not is_own(entity, self._auth, row):
            raise self._policies.refusals.refused(TENANT_RULE, entity.name, operation)

    def _absent_for_update(self, entity: str, row_id: str, patch: Payload) -> PylonError:
        blank: Row = {"id": row_id}
        self._policies.check_update(entity, self._auth, blank, blank, patch)
        return absent_row(self._ctx, self._auth, entity)
