"""``ctx.asUser().db``: the operations of ``ctx.db`` with no more rights than the caller's own requests have.

What those rights are is for a higher floor to know: it gives the ``Guard``, which puts the policies between a
store and the operations. What may not be read is not there; what may not be written raises POLICY_DENIED, and
leaves no trace of itself in a transaction that goes on.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from pylon_auth.context import AuthContext
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_functions.database import Operations, RowReader, RowWriter, parsed_graph
from pylon_functions.protocol import Database
from pylon_http import Reader, TxStore
from pylon_http.graph import Selection


class GuardedReader(RowReader, Protocol):
    """Rows and fields that the user may read. Every method raises POLICY_DENIED for an entity of which that is
    none, and for a field that the user may not read what is raised for one that does not exist."""

    def graph(self, graph: Sequence[Selection]) -> Any:
        """As ``database.read_graph``, every level with readable rows only."""

    def check_relation(self, entity: str, name: str) -> None:
        """Raises RELATION_NOT_FOUND for a relation over a field that the user may not know of."""


class GuardedWriter(GuardedReader, RowWriter, Protocol):
    """Writes that the user may do."""


class Guard(Protocol):
    """The access rules of an app. Any thread may call it."""

    def reader(self, reader: Reader, auth: AuthContext) -> GuardedReader: ...

    def writer(self, tx: TxStore, auth: AuthContext) -> GuardedWriter: ...


class UserOperations:
    """Immutable; any thread may use it. ``guard`` is ``None`` where no access rules are known."""

    def __init__(self, operations: Operations, manifest: AppManifest, guard: Guard | None) -> None:
        self._operations = operations
        self._manifest = manifest
        self._guard = guard

    def read(self, reader: Reader, auth: AuthContext, operation: Database) -> Any:
        rows = self._known_guard().reader(reader, auth)
        if operation.op == "query_graph":
            return rows.graph(parsed_graph(operation, self._manifest))
        return self._operations.read(rows, operation)

    def write(self, tx: TxStore, auth: AuthContext, operation: Database) -> Any:
        rows = self._known_guard().writer(tx, auth)
        match operation.op:
            case "query_graph":
                return rows.graph(parsed_graph(operation, self._manifest))
            case "link" | "unlink":
                rows.check_relation(str(operation.entity), str(operation.relation))
        return self._operations.write(rows, operation)

    def _known_guard(self) -> Guard:
        if self._guard is None:
            raise PylonError("NOT_SUPPORTED", "ctx.asUser is not available here.")
        return self._guard
