"""The ``DataStore`` over one SQLite file.

Any thread may call it. One writer commits in groups (``committer``), readers come from a pool, and each call of
``transact`` that returned is on disk."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from pylon_core.clock import Clock, SystemClock
from pylon_core.ids import RowIds
from pylon_core.manifest import AppManifest
from pylon_http import ChangeEvent, DataError, DataStore, Filter, LogPage, Outcome, Reader, Row, Trial, TxStore
from pylon_storage import schema, sessions
from pylon_storage.catalog import Catalog
from pylon_storage.counts import CountCache, SnapshotReader
from pylon_storage.crdt import snapshots
from pylon_storage.crdt.entity_documents import new_keeping
from pylon_storage.faults import FaultPoints, NoFaults
from pylon_storage.files.index import TABLES as FILE_TABLES
from pylon_storage.jobs.schema import SQLITE_TABLES as JOB_TABLES
from pylon_storage.rows import SqlTx
from pylon_storage.search.fts5 import Fts5Index
from pylon_storage.search.index import text_index
from pylon_storage.search.prepare import prepare
from pylon_storage.sqlite import changelog
from pylon_storage.sqlite.announcements import Announcements
from pylon_storage.sqlite.committer import GroupCommitter
from pylon_storage.sqlite.connections import ReaderPool, open_surveyor, open_writer
from pylon_storage.sqlite.dialect import SqliteDialect
from pylon_storage.sqlite.file_lock import FileLock
from pylon_storage.sqlite.statements import GroupStatements, SqliteStatements, SqliteTables
from pylon_storage.sqlite.transactions import SqliteTx
from pylon_storage.sqlite.translate import READ_ERRORS, read_failed
from pylon_storage.sqlite.trial import SqliteTrial
from pylon_storage.sqlite.upkeep import SqliteUpkeep
from pylon_storage.sqlite.write_group import WriteGroup
from pylon_storage.statements import Tables
from pylon_storage.subscribers import Listener, Subscribers
from pylon_storage.workflows.schema import SQLITE_TABLES as WORKFLOW_TABLES

T = TypeVar("T")
CATCH_UP_EVENTS = 1_000

_DIALECT = SqliteDialect()


class SqliteStore:
    """Opens the file, brings its tables up to the manifest, and serves reads and transactions.

    ``watched`` names, per entity, the fields that decide who may read a row; ``visibility`` is a fingerprint
    of the rules themselves. ``durable`` false is for a database that does not outlive the process.
    Raises DataError SCHEMA_INIT_FAILED when the file cannot be opened or brought up to the manifest.
    """

    def __init__(
        self,
        path: Path,
        manifest: AppManifest,
        *,
        watched: Mapping[str, frozenset[str]],
        visibility: str,
        clock: Clock,
        faults: FaultPoints,
        durable: bool = True,
        vfs: str | None = None,
    ) -> None:
        self._path = path
        self._durable = durable
        self._clock = clock
        self._vfs = vfs
        self._ids = RowIds(clock)
        self._documents = new_keeping()
        self._catalog = Catalog(manifest, _DIALECT, watched, partial(text_index, Fts5Index), self._documents)
        self._subscribers = Subscribers()
        self._announcements = Announcements()
        self._counts = CountCache()
        with ExitStack() as undo:
            self._file_lock = FileLock(path)
            undo.callback(self._file_lock.release)
            _bring_up(self._open_writer, manifest, visibility)
            self._committer = GroupCommitter(
                self._open_writer, self._publish, self._publish_unknown, clock, faults
            )
            self._committer.on_announced(self._announcements.tell)
            undo.pop_all()
        self._readers = ReaderPool(path, vfs)
        self.upkeep = SqliteUpkeep(self.tables, partial(open_surveyor, path, vfs=vfs))
        """For whoever compacts the log."""
        self._published = self._committer.head

    @property
    def reads_at_once(self) -> bool:
        return True

    @property
    def tables(self) -> Tables:
        """Where the other tables of this file (sessions) are read and written."""
        return SqliteTables(self._committer, self._readers, self._announcements)

    @property
    def is_available(self) -> bool:
        """Whether the file could be written to at the last try."""
        return self._committer.is_available

    def get(self, entity: str, row_id: str) -> Row | None:
        codec = self._catalog.table(entity).codec
        pool = self._readers
        generation = pool.generation
        connection = pool.take()
        try:
            found = connection.execute(codec.get_sql, (row_id,)).fetchone()
        except READ_ERRORS as error:
            raise read_failed(error) from error
        finally:
            pool.give_back(connection, generation)
        return None if found is None else codec.decode(found)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._readers.borrow() as connection:
            connection.execute("BEGIN")
            try:
                yield SnapshotReader(SqliteStatements(connection), self._catalog, self._counts)
            finally:
                connection.execute("ROLLBACK")

    def long_work(self, wait_s: float) -> AbstractContextManager[None]:  # noqa: ARG002 - nobody waits
        """Readers are as many as are wanted, and writers follow each other anyway."""
        return nullcontext()

    def transact(self, work: Callable[[TxStore], T]) -> T:
        return self._committer.run(self._in_transaction(work))

    @contextmanager
    def try_out(self) -> Iterator[Trial]:
        head = self._committer.head
        with self.read() as reader:
            assert isinstance(reader, SnapshotReader)
            yield SqliteTrial(reader, head, self._catalog, self._ids.next)

    def submit(self, work: Callable[[TxStore], T], done: Callable[[Outcome[T]], None]) -> None:
        self._committer.submit(self._in_transaction(work), done)

    def flush(self) -> bool:
        return self._committer.flush()

    def on_left_over(self, notify: Callable[[], None]) -> None:
        self._committer.on_left_over(notify)

    def changes(self, since: int, limit: int) -> LogPage:
        with self._readers.borrow() as connection:
            try:
                page = changelog.log_page(connection, since, limit, self._committer.head)
            except READ_ERRORS as error:
                raise read_failed(error) from error
        events = [self._catalog.current(event) for event in page.events]
        return LogPage(events, page.has_more, page.head, page.floor)

    def on_log_turned(self, heard: Callable[[bool], None]) -> None:
        """Nobody else could begin the log anew."""

    def head(self) -> int:
        return self._committer.head

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._subscribers.add(listener)

    def close(self) -> None:
        self._committer.close()
        self._documents.quarantine.close()
        self._readers.close()
        self._file_lock.release()

    def _in_transaction(self, work: Callable[[TxStore], T]) -> Callable[[WriteGroup], T]:
        return lambda group: work(SqliteTx(group, self._catalog, self._ids.next))

    def _open_writer(self) -> apsw.Connection:
        return open_writer(self._path, durable=self._durable, vfs=self._vfs)

    def _publish(self, events: Sequence[ChangeEvent]) -> None:
        """Called by the committer's leader only, so one call at a time and in seq order."""
        self._published = events[-1].seq
        self._subscribers.tell(events)

    def _publish_unknown(self) -> None:
        """After a reopening: what a failed COMMIT did leave on disk is announced like any other commit."""
        self._readers.discard()
        self._announcements.tell_of_a_gap()
        with self._readers.borrow() as connection:
            has_more = True
            while has_more:
                events, has_more = changelog.page(connection, self._published, CATCH_UP_EVENTS)
                if events:
                    self._publish(events)


class EphemeralStore(SqliteStore):
    """A store in a directory of its own that goes with it: for tests and in-memory runs."""

    def __init__(
        self,
        manifest: AppManifest,
        *,
        watched: Mapping[str, frozenset[str]],
        visibility: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="pylon-")
        self._entities = [entity.name for entity in manifest.entities]
        super().__init__(
            Path(self._directory.name) / "ephemeral.db",
            manifest,
            watched=watched,
            visibility=visibility,
            clock=clock or SystemClock(),
            faults=NoFaults(),
            durable=False,
        )

    def reset(self) -> None:
        """Remove every row, job and workflow, and begin a new log, beyond every cursor given out before. Nobody is
        told."""
        self._committer.run(self._empty)

    def _empty(self, group: WriteGroup) -> None:
        mark = group.mark()
        tx = SqlTx(GroupStatements(group), group, self._catalog, self._ids.next)
        for entity in self._entities:
            for row in tx.query(entity, Filter()):
                tx.delete(entity, row["id"])
        for table in _WORK_TABLES:
            group.connection.execute(f"DELETE FROM {table}")
        group.undo_to(mark)
        group.head += 1
        changelog.start_at(group.connection, group.head)

    def close(self) -> None:
        super().close()
        self._directory.cleanup()


_WORK_TABLES = ("_pylon_jobs", "_pylon_workflows", "_pylon_workflow_steps", "_pylon_workflow_events")
"""What is still to be done: it would reach into what comes after the reset."""


def _bring_up(connect: Callable[[], apsw.Connection], manifest: AppManifest, visibility: str) -> None:
    try:
        connection = connect()
        try:
            with connection:
                for statement in (
                    *changelog.TABLES,
                    *sessions.TABLES,
                    *FILE_TABLES,
                    *JOB_TABLES,
                    *WORKFLOW_TABLES,
                    snapshots.SQLITE_TABLE,
                ):
                    connection.execute(statement)
                existing = _tables(connection)
                for statement in (
                    *schema.log_additions(existing, "BLOB"),
                    *schema.additions(manifest, existing, _DIALECT),
                ):
                    connection.execute(statement)
                for text, params in snapshots.cleaning(manifest):
                    connection.execute(text, params)
                changelog.renew_for(connection, visibility)
                prepare(SqliteStatements(connection), manifest, _DIALECT, Fts5Index)
        finally:
            connection.close()
    except apsw.Error as error:
        raise DataError(
            "SCHEMA_INIT_FAILED",
            f"The database could not be brought up to the manifest: {error}",
            hint="A new unique field or index fails while rows still share a value.",
        ) from error


def _tables(connection: apsw.Connection) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "SELECT t.name, c.name, c.type FROM pragma_table_list AS t, pragma_table_info(t.name) AS c"
        " WHERE t.schema = 'main' AND t.type = 'table'"
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, declared in rows:
        tables.setdefault(table, {})[column] = declared
    return tables


_: type[DataStore] = SqliteStore
