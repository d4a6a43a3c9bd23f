"""A transaction where the database has none: each write is done at once, as an atomic batch with its undoing.

``D1Tx`` is the ``TxStore`` that work is given: the storage package's one door for writes, with each write gathered
into a step. ``Transaction`` sends the steps and takes them back. One thread uses an instance.

    open --(a batch fails without D1 having refused it)--> doubtful: no more writes, undone at the end
    open or doubtful --(``undo``)--> open, or D1Error: what remains is in the journal
    open --(``commit``)--> over
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pylon_core.turns import blocking
from pylon_http import ChangeEvent, ChangeKind, DataError, Row
from pylon_http.jobs import JobClaim, NewJob
from pylon_storage import sql
from pylon_storage.catalog import Catalog
from pylon_storage.codec import EntityCodec
from pylon_storage.rows import ChangeRecorder, RowStatements, SqlTx, entries_with_rows
from pylon_storage.statements import Columns, Statements
from pylon_workers import changelog, journal
from pylon_workers.executor import D1Error, D1Executor, Statement
from pylon_workers.statements import D1Statements, Gathered
from pylon_workers.translate import unavailable, write_refused

Layouts = Mapping[str, Sequence[str]]
"""The columns that each entity's table has, those among them that the manifest knows no more."""


class Transaction:
    """The ``RowStatements`` and the ``ChangeRecorder`` of one transaction.

    ``head`` is the newest seq before it. A statement that writes is kept until its step is complete.
    """

    def __init__(
        self, executor: D1Executor, catalog: Catalog, layouts: Layouts, head: int, timestamp_ms: int
    ) -> None:
        self._executor = executor
        self._catalog = catalog
        self._layouts = layouts
        self._reads = D1Statements(executor)
        self._head = head
        self.timestamp_ms = timestamp_ms
        self.events: list[ChangeEvent] = []
        self._steps = 0
        self._doubtful = False
        self._step = _Step(self._reads)

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        return self._step.forward.all(text, params)

    def notify(self, topic: str, text: str) -> None:
        """There is nobody who could hear it."""

    def announce(self, topic: str, text: str) -> None:
        """The same."""

    def bounded(self, text: str, params: Sequence[Any], chars_max: int) -> list[Columns]:
        return self._step.forward.bounded(text, params, chars_max)

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        return self._step.forward.one(text, params)

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        self._step.forward.write(text, params)

    def change(self, text: str, params: Sequence[Any], entity: str, code: str) -> None:
        self._step.forward.all(text, params)
        self._step.refusal = (entity, code)

    def record(
        self,
        entity: str,
        row_id: str,
        kind: ChangeKind,
        row: Row | None,
        before: Row | None,
        delta: bytes | None = None,
    ) -> None:
        seq = self._head + len(self.events) + 1
        event = ChangeEvent(seq, entity, row_id, kind, row, before, self.timestamp_ms, delta)
        self._step.event = event
        self._step.forward.kept.append(changelog.appended(event))
        self._keep_undo(event, self._step.undo)

    def mark(self) -> int:
        return len(self.events)

    def undo_to(self, mark: int) -> None:
        del self.events[mark:]

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        """Every entry is in the table already."""

    @contextmanager
    def step(self) -> Iterator[Gathered]:
        """One write: what the body does becomes one batch. Yields where its undoing goes.

        Raises DataError: the refusal of the write, or NOT_AVAILABLE when nobody knows what became of a batch.
        """
        if self._doubtful:
            raise unavailable()
        self._step = _Step(self._reads)
        yield self._step.undo
        if self._step.forward.kept:
            self._send(self._step)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        mark = self._steps
        try:
            yield
        except BaseException:
            if self._steps > mark or self._doubtful:
                self._undo_part(mark)
            raise

    def undo(self) -> None:
        """Take everything back. Raises ``D1Error`` when that failed; the journal still knows how."""
        if self._steps or self._doubtful:
            journal.undo_after(self._executor, 0)

    def commit(self) -> None:
        """Raises DataError NOT_AVAILABLE when it must be undone, ``D1Error`` when nobody knows."""
        if self._doubtful:
            raise unavailable()
        if self._steps:
            journal.clear(self._executor)

    def _undo_part(self, mark: int) -> None:
        self._doubtful = True
        try:
            journal.undo_after(self._executor, mark)
        except D1Error as error:
            raise unavailable() from error
        self._doubtful = False
        self._steps = mark

    def _send(self, step: "_Step") -> None:
        statements = [journal.bind(statement) for statement in step.forward.kept]
        self._doubtful = True
        try:
            with blocking():
                self._executor.batch([*statements, journal.note(self._steps + 1, step.undo.kept)])
        except D1Error as error:
            refusal = write_refused(*step.refusal, error)
            if refusal is None:
                raise unavailable() from error
            self._doubtful = False
            raise refusal from error
        self._doubtful = False
        self._steps += 1
        if step.event is not None:
            self.events.append(step.event)

    def _keep_undo(self, event: ChangeEvent, undo: Gathered) -> None:
        """What takes the event's change back, while the database still has the row from before it."""
        table = self._catalog.table(event.entity)
        if event.kind is ChangeKind.INSERT:
            undo.all(table.codec.delete_sql, (event.row_id,))
            table.index.remove(undo, event.row_id)
        else:
            stored = self._stored(event)
            old = table.codec.decode([stored[column] for column in table.codec.columns])
            if event.row is None:
                undo.all(*_insertion(event.entity, stored))
                table.index.add(undo, old)
            else:
                row = event.row
                changed = {field: value for field, value in old.items() if value != row[field]}
                undo.all(*_restoration(table.codec, event.row_id, stored, changed))
                table.index.replace(undo, old, changed)
        undo.kept.append(changelog.removed(event))

    def _stored(self, event: ChangeEvent) -> Row:
        """The row as its table has it, by column."""
        columns = self._layouts[event.entity]
        found = self._reads.one(f'{sql.select(event.entity, columns)} WHERE "id" = ?', (event.row_id,))
        assert found is not None  # nobody else writes
        return dict(zip(columns, found, strict=True))


class D1Tx(SqlTx):
    """Reads and writes inside a transaction, and sees its own writes."""

    def __init__(self, transaction: Transaction, catalog: Catalog, new_id: Callable[[], str]) -> None:
        super().__init__(transaction, transaction, catalog, new_id)
        self._transaction = transaction

    def insert(self, entity: str, data: Mapping[str, Any], row_id: str | None = None) -> Row:
        with self._transaction.step():
            return super().insert(entity, data, row_id)

    def update(self, entity: str, row_id: str, patch: Mapping[str, Any]) -> Row | None:
        with self._transaction.step():
            return super().update(entity, row_id, patch)

    def delete(self, entity: str, row_id: str) -> bool:
        with self._transaction.step():
            return super().delete(entity, row_id)

    def forget(self, rows: Mapping[str, Sequence[str]]) -> None:
        if not rows:
            return
        erased = entries_with_rows(self._catalog, rows)
        with self._transaction.step() as undo:
            for entry in self._statements.all(f"SELECT * FROM _pylon_changes WHERE {erased.text}", erased.params):
                undo.all("INSERT OR REPLACE INTO _pylon_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", entry)
            super().forget(rows)

    def remember(self, scope: str, op_id: str, row_id: str) -> None:
        with self._transaction.step() as undo:
            undo.all("DELETE FROM _pylon_ops WHERE scope = ? AND op_id = ?", (scope, op_id))
            super().remember(scope, op_id, row_id)

    def enqueue(self, job: NewJob) -> str:  # noqa: ARG002 - there is no queue for it
        raise _no_jobs()

    def cancel_job(self, job_id: str) -> bool:  # noqa: ARG002 - the same
        raise _no_jobs()

    def complete_job(self, claim: JobClaim) -> None:  # noqa: ARG002 - the same
        raise _no_jobs()


class _Step:
    """One write while it is gathered."""

    def __init__(self, reads: Statements) -> None:
        self.forward = Gathered(reads)
        self.undo = Gathered(reads)
        self.refusal = ("", "QUERY_FAILED")
        self.event: ChangeEvent | None = None


def _no_jobs() -> DataError:
    return DataError("NOT_SUPPORTED", "There are no background jobs on D1.", status=501)


def _insertion(entity: str, stored: Row) -> Statement:
    names = ", ".join(map(sql.quote, stored))
    marks = ", ".join("?" * len(stored))
    return Statement(f"INSERT INTO {sql.quote(entity)} ({names}) VALUES ({marks})", list(stored.values()))


def _restoration(codec: EntityCodec, row_id: str, stored: Row, changed: Row) -> Statement:
    return Statement(codec.update_sql(changed), [*(stored[field] for field in changed), row_id])


_rows: type[RowStatements] = Transaction
_recorder: type[ChangeRecorder] = Transaction
