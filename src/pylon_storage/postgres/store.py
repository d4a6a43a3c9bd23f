"""The ``DataStore`` over one Postgres database, which any number of processes may share.

Any thread may call it. Reads and transactions each borrow a connection (``pool``), submitted work is committed in
groups (``committer``), and a call of ``transact`` that returned is as durable as the server's settings make it.
Whatever any process commits is told to the subscribers of all (``publication``, ``follower``).
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from pylon_core.clock import Clock
from pylon_core.ids import RowIds
from pylon_core.manifest import AppManifest
from pylon_http import DataError, DataStore, LogPage, Outcome, Reader, Row, TxStore
from pylon_storage.catalog import Catalog
from pylon_storage.counts import CountCache, SnapshotReader
from pylon_storage.faults import FaultPoints
from pylon_storage.postgres import changelog
from pylon_storage.postgres.bring_up import bring_up
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
from pylon_storage.postgres.url import conninfo
from pylon_storage.rows import SqlTx
from pylon_storage.search.index import text_index
from pylon_storage.search.tsvector import TsvectorIndex
from pylon_storage.statements import Tables
from pylon_storage.subscribers import Listener, Subscribers

T = TypeVar("T")

STOP_SECONDS = 5.0


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
        self._catalog = Catalog(manifest, PostgresDialect(), watched, partial(text_index, TsvectorIndex))
        self._subscribers = Subscribers()
        self._counts = CountCache()
        with connect(where) as connection:
            head = bring_up(connection, manifest, visibility)
        self._pool = Pool(where, connections_max)
        self._notices = Notices(origin)
        self._publication = Publication(self._page, self._subscribers.tell, head)
        self._runner = TransactionRunner(
            self._pool, self._publication.hand_over, self._publish_missed, clock, faults, origin
        )
        self._committer = GroupCommitter(self._runner, clock)
        self._follower = Follower(partial(self._connect, where), self._publication, self._notices, origin)
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

    def transact(self, work: Callable[[TxStore], T]) -> T:
        if not self._runner.is_inside:
            self._committer.drain()
        return self._runner.run(self._in_transaction(work))

    def submit(self, work: Callable[[TxStore], T], done: Callable[[Outcome[T]], None]) -> None:
        self._committer.submit(self._in_transaction(work), done)

    def flush(self) -> bool:
        return self._committer.flush()

    def on_left_over(self, notify: Callable[[], None]) -> None:
        self._committer.on_left_over(notify)

    def changes(self, since: int, limit: int) -> LogPage:
        with self._snapshot() as statements:
            page = changelog.log_page(statements, since, limit)
        events = [self._catalog.current(event) for event in page.events]
        return LogPage(events, page.has_more, page.head, page.floor)

    def head(self) -> int:
        return self._publication.head

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._subscribers.add(listener)

    def close(self) -> None:
        self._committer.close()
        self._runner.close()
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
            SqlTx(transaction.statements, transaction.changes, self._catalog, self._ids.next)
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
            events, has_more = changelog.page(SingleStatements(loan), since, limit)
        return [self._catalog.current(event) for event in events], has_more

    def _publish_missed(self) -> None:
        """After a commit whose answer was lost. The follower reads the log if we cannot."""
        with suppress(DataError), self._snapshot() as statements:
            newest, _ = changelog.head_and_floor(statements)
            self._publication.reach(newest)


_: type[DataStore] = PostgresStore
