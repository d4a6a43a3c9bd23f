"""An executor as the ``Statements`` that all of the storage package's SQL is written against."""

from collections.abc import Sequence, Set
from typing import Any

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_storage.budget import within
from pylon_storage.statements import Columns, Statements
from pylon_workers.executor import PARAMS_MAX, TEXT_BYTES_MAX, D1Error, D1Executor, Statement
from pylon_workers.values import bound, exact_query, suspects, untagged


class D1Statements:
    """Any thread may use it: D1 has no connection that would hold a state."""

    def __init__(self, executor: D1Executor) -> None:
        self._executor = executor

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        query = Statement(text, [bound(value) for value in params])
        rows = self._run(query)
        positions = suspects(rows)
        if not positions:
            return [tuple(row) for row in rows]
        return self._exact(query, len(rows[0]), positions)

    def bounded(self, text: str, params: Sequence[Any], chars_max: int) -> list[Columns]:
        return within(self.all(text, params), chars_max)

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        rows = self.all(text, params)
        return rows[0] if rows else None

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        self.all(text, params)

    def _exact(self, query: Statement, width: int, positions: Set[int]) -> list[Columns]:
        """Ask again, until no column that others filled with large numbers meanwhile is left over."""
        while True:
            tagged = self._run(exact_query(query, width, positions))
            new = suspects(tagged) - positions
            if not new:
                return [untagged(row, positions) for row in tagged]
            positions |= new

    def _run(self, query: Statement) -> Sequence[Sequence[Any]]:
        if len(query.params) > PARAMS_MAX or len(query.text.encode()) > TEXT_BYTES_MAX:
            raise DataError("INVALID_QUERY", f"D1 takes at most {PARAMS_MAX} values in a query of 100 KB.")
        try:
            with blocking():
                return self._executor.query(query.text, query.params)
        except D1Error as error:
            raise DataError("QUERY_FAILED", "The database could not be read.", status=500) from error


class Gathered:
    """Statements that write are kept, in their order, for a batch; those that read are done."""

    def __init__(self, reads: Statements) -> None:
        self._reads = reads
        self.kept: list[Statement] = []

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        if text.startswith(("SELECT", "WITH")):
            return self._reads.all(text, params)
        self.kept.append(Statement(text, params))
        return []

    def bounded(self, text: str, params: Sequence[Any], chars_max: int) -> list[Columns]:
        return within(self.all(text, params), chars_max)

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        rows = self.all(text, params)
        return rows[0] if rows else None

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        self.all(text, params)


_direct: type[Statements] = D1Statements
_gathered: type[Statements] = Gathered
