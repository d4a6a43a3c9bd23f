"""The other tables of a database (sessions, files): written in transactions, read from the pool. Any thread."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from pylon_storage.postgres.notices import Notices
from pylon_storage.postgres.pool import Pool
from pylon_storage.postgres.statements import SingleStatements
from pylon_storage.postgres.transactions import READ_COMMITTED, TransactionRunner
from pylon_storage.statements import Heard, Statements, Tables, TableStatements

T = TypeVar("T")


class PostgresTables:
    def __init__(self, runner: TransactionRunner, pool: Pool, notices: Notices) -> None:
        self._runner = runner
        self._pool = pool
        self._notices = notices

    def reading(self) -> AbstractContextManager[Statements]:
        return self._borrowed()

    def write(self, work: Callable[[TableStatements], T]) -> T:
        return self._runner.run(lambda transaction: work(transaction.statements))

    def write_briefly(self, work: Callable[[TableStatements], T]) -> T:
        return self._runner.run(lambda transaction: work(transaction.statements), begin=READ_COMMITTED)

    @property
    def skip_locked(self) -> str:
        return " FOR UPDATE SKIP LOCKED"

    def on_notice(self, topic: str, heard: Heard) -> None:
        self._notices.subscribe(topic, heard)

    @contextmanager
    def _borrowed(self) -> Iterator[Statements]:
        with self._pool.lend_replaceable() as loan:
            yield SingleStatements(loan)


_: type[Tables] = PostgresTables
