"""The ``DataStore`` over one Postgres database, which any number of processes may share.

Any thread may call it. Reads and transactions each borrow a connection (``pool``), submitted work is committed in
groups (``committer``), and a call of ``transact`` that returned is as durable as the server's settings make it.
Whatever any process commits is told to the subscribers of all (``publication``, ``follower``).
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import TypeVar

import structlog

from pylon_core.clock import Clock
from pylon_core.ids import RowIds
from pylon_core.manifest import AppManifest
from pylon_http import ChangeEvent, DataError, DataStore, LogPage, Outcome, Reader, Row, Trial, TxStore
from pylon_storage.catalog import Catalog
from pylon_storage.counts import CountCache, SnapshotReader
from pylon_storage.crdt.entity_documents import new_keeping
from pylon_storage.faults import FaultPoints
from pylon_storage.postgres import changelog
from pylon_storage.postgres.bring_up import bring_up
from pylon_storage.postgres.changelog import LogEra
from pylon_storage.postgres.committer import GroupCommitter
from pylon_storage.postgres.connection import Connection
from pylon_storage.postgres.dialect import PostgresDialect
from pylon_storage.postgres.follower import Follower
from pylon_storage.postgres.notices import Notices
from pylon_storage.postgres.pool import CONNECTIONS_MAX, Pool, connect
from pylon_storage.postgres.publication import Page, Publication
from pylon_storage.postgres.statements import ReadStatements, SingleStatements
from pylon_storage.postgres.tables import PostgresTables
from pylon_storage.postgres.transactions import Transaction, TransactionRunner
from pylon_storage.postgres.upkeep import PostgresUpkeep
from pylon_storage.postgres.url import conninfo
from pylon_storage.rows import SqlTx
from pylon_storage.search.index import text_index
from pylon_storage.search.tsvector import TsvectorIndex
from pylon_storage.statements import Tables
from pylon_storage.subscribers import Listener, Subscribers

T = TypeVar("T")

STOP_SECONDS = 5.0

log = structlog.get_logger("pylon.storage")


class PostgresStore:
    """Connects, brings the tables up to the manifest, and serves reads and transactions.

    ``watched`` and ``visibility`` as for ``SqliteStore``. Raises DataError NOT_AVAILABLE when the server cannot be
    reached, SCHEMA_INIT_FAILED when the database cannot be brought up to the manifest.
    """

    def __init__(
        self,
        url: str,
        manifest: AppManifest,
        *,
        watched: Mapping[str, frozenset[str]],
        visibility: str,
        clock: Clock,
        faults: FaultPoints,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        where = conninfo(url)
        self._ids = RowIds(clock, secrets.randbits(32))
        origin = self._ids.next()
        self._documents = new_keeping()
        catalog_watching = partial(
            Catalog,
            manifest,
            PostgresDialect(),
            index_of=partial(text_index, TsvectorIndex),
            keeping=self._documents,
        )
        self._catalog = catalog_watching(watched)
        self._watching_all = catalog_watching(
            {entity.name: frozenset(field.name for field in entity.fields) for entity in manifest.entities}
        )
        self._subscribers = Subscribers()
        self._counts = CountCache()
        with connect(where) as connection:
            head, era = bring_up(connection, manifest, visibility)
        self._visibility = visibility
        self._log_is_ours = era.is_ours
        self._turned: Callable[[bool], None] = _nobody
        self._pool = Pool(where, connections_max)
        self._notices = Notices(origin)
        self._publication = Publication(self._page, self._subscribers.tell, head)
        self._runner = TransactionRunner(
            self._pool, self._hand_over, self._publish_missed, clock, faults, origin, era
        )
        self._committer = GroupCommitter(self._runner, partial(self._pool.long_work, 0), clock)
        self.upkeep = PostgresUpkeep(self.tables, partial(connect, where))
        """For whoever compacts the log."""
        self._follower = Follower(
            partial(self._connect, where), self._publication, self._notices, self._pool.cut, origin
        )
        self._follower.start()

    @property
    def tables(self) -> Tables:
        """Where the other tables of this database (sessions) are read and written."""
        return PostgresTables(self._runner, self._pool, self._notices)

    @property
    def is_available(self) -> bool:
        """Whether the server could be reached at the last try."""
        return self._pool.is_available

    def get(self, entity: str, row_id: str) -> Row | None:
        codec = self._catalog.table(entity).codec
        with self._pool.lend_replaceable() as loan:
            found = SingleStatements(loan).one(codec.get_sql, (row_id,))
        return None if found is None else codec.decode(found)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._snapshot() as statements:
            yield SnapshotReader(statements, self._catalog, self._counts)

    def long_work(self, wait_s: float) -> AbstractContextManager[None]:
        return self._pool.long_work(wait_s)

    def transact(self, work: Callable[[TxStore], T]) -> T:
        if not self._runner.is_inside:
            self._committer.drain()
        return self._runner.run(self._in_transaction(work))

    @property
    def reads_at_once(self) -> bool:
        return False

    def try_out(self) -> AbstractContextManager[Trial | None]:
        return nullcontext()

    def submit(self, work: Callable[[TxStore], T], done: Callable[[Outcome[T]], None]) -> None:
        self._committer.submit(self._in_transaction(work), done)

    def flush(self) -> bool:
        return self._committer.flush()

    def on_left_over(self, notify: Callable[[], None]) -> None:
        self._committer.on_left_over(notify)

    def changes(self, since: int, limit: int) -> LogPage:
        with self._snapshot() as statements:
            page, visibility = changelog.log_page(statements, since, limit)
        self._note_policies(visibility)
        if not self._log_is_ours:
            raise DataError(
                "NOT_AVAILABLE", "This server is being replaced by one with other policies. Try again."
            )
        events = [self._catalog.current(event) for event in page.events]
        return LogPage(events, page.has_more, page.head, page.floor)

    def on_log_turned(self, heard: Callable[[bool], None]) -> None:
        self._turned = heard

    def head(self) -> int:
        return self._publication.head

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._subscribers.add(listener)

    def close(self) -> None:
        self._committer.close()
        self._runner.close()
        self._documents.quarantine.close()
        self._follower.stop(STOP_SECONDS)
        self._pool.close()

    def _connect(self, where: str) -> Connection:
        """For the follower. It is the first to notice that the server went away or came back; on an idle process
        the only one.
        """
        try:
            connection = connect(where)
        except DataError:
            self._pool.note_unreachable()
            raise
        self._pool.note_reached()
        return connection

    def _in_transaction(self, work: Callable[[TxStore], T]) -> Callable[[Transaction], T]:
        return lambda transaction: work(
            SqlTx(
                transaction.statements,
                transaction.changes,
                self._catalog if transaction.era.is_ours else self._watching_all,
                self._ids.next,
            )
        )

    @contextmanager
    def _snapshot(self) -> Iterator[ReadStatements]:
        with self._pool.lend_replaceable() as loan:
            statements = ReadStatements(loan)
            try:
                yield statements
            finally:
                statements.end()

    def _page(self, since: int, limit: int) -> Page:
        with self._pool.lend_replaceable() as loan:
            events, visibility, compacted_to = changelog.page(SingleStatements(loan), since, limit)
        if events:
            self._note_policies(visibility)
        if not self._log_is_ours:
            return []
        if since < compacted_to:
            self._start_over(since)
        return [self._catalog.current(event) for event in events]

    def _start_over(self, since: int) -> None:
        """The log went on without us for so long that it was compacted meanwhile. A replica pulls past what is
        gone; a socket was to be sent it."""
        log.warning("log_compacted_unread", since=since)
        self._turned(False)  # noqa: FBT003 - as it is told
        self._turned(True)  # noqa: FBT003 - the same

    def _hand_over(self, events: Sequence[ChangeEvent], era: LogEra) -> None:
        if era.is_ours:
            self._publication.hand_over(events)
        else:
            self._publication.reach(events[-1].seq)

    def _note_policies(self, of_log: str | None) -> None:
        """What the log keeps of rows before their changes can be judged by these policies only."""
        is_ours = of_log == self._visibility
        if is_ours != self._log_is_ours:
            self._log_is_ours = is_ours
            log.warning("log_renewed", ours=is_ours)
            self._turned(is_ours)

    def _publish_missed(self) -> None:
        """After a commit whose answer was lost. The follower reads the log if we cannot."""
        with suppress(DataError), self._snapshot() as statements:
            self._publication.reach(changelog.extent(statements).newest)


def _nobody(_is_ours: bool) -> None:  # noqa: FBT001 - as it is told
    pass


_: type[DataStore] = PostgresStore
