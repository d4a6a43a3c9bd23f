"""What everything above one connection is written against: SQL in, tuples out, whatever the engine.

Text is written once for all engines: identifiers double-quoted, values as ``?``, both dialects' common SQL (``ON
CONFLICT``, ``RETURNING``). Times are integers, JSON is text, bytes are bytes. A statement that fails raises
``DataError`` and leaves the transaction usable.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Columns = tuple[Any, ...]
"""The values of one result row, in the order of the select list."""


class Statements(Protocol):
    """One connection, in a state its holder has chosen. Used by one thread at a time."""

    def all(self, text: str, params: Sequence[Any] = ()) -> list[Columns]:
        """Every result row. Raises DataError INVALID_QUERY for a value the database cannot compare, otherwise
        QUERY_FAILED (500)."""

    def bounded(self, text: str, params: Sequence[Any], chars_max: int) -> list[Columns]:
        """As ``all``. Raises DataError PAYLOAD_TOO_LARGE when there is more text than that in the rows, without
        having read them all where the engine can do so."""

    def one(self, text: str, params: Sequence[Any] = ()) -> Columns | None:
        """The first result row, or ``None``."""

    def write(self, text: str, params: Sequence[Any] = ()) -> None:
        """What the database has no reason to refuse. It may be sent along with the next statement, and what goes
        wrong be raised there."""


class TableStatements(Statements, Protocol):
    """Statements inside a transaction that may write."""

    def notify(self, topic: str, text: str) -> None:
        """Say something short (7,000 bytes) to every other process on the database, once this is committed."""

    def announce(self, topic: str, text: str) -> None:
        """As ``notify``, to this process as well."""


Heard = Callable[[str | None], None]
"""Gets what another process said; ``None`` when something may have been missed. Must neither block nor raise."""


class Tables(Protocol):
    """The database as the backends of sessions, files and the like see it. Any thread may call it."""

    def reading(self) -> AbstractContextManager[Statements]:
        """The newest committed state; between two statements it may move on."""

    def write(self, work: Callable[[TableStatements], T]) -> T:
        """Run ``work`` in a transaction and return its result once that is durable.

        ``work`` may be run again from its start when the database could not order it among others; it must do
        nothing but speak to its statements.
        """

    def write_briefly(self, work: Callable[[TableStatements], T]) -> T:
        """As ``write``, for work that stands on no look at what others may change: each statement decides by what
        is committed when it runs. Nobody's transaction is undone for it, nor is it for theirs."""

    @property
    def skip_locked(self) -> str:
        """Behind a SELECT of a brief write: take the rows, without those that others have taken already."""

    def on_notice(self, topic: str, heard: Heard) -> None:
        """Have ``heard`` called with what other processes say on a topic, and with all that is announced."""
