"""What a store offers for the upkeep of what grows in it: the change log, the op ids. Any thread may call."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from pylon_storage.dialect import Dialect
from pylon_storage.statements import Statements

T = TypeVar("T")


class Upkeep(Protocol):
    @property
    def dialect(self) -> Dialect: ...

    def reading(self) -> AbstractContextManager[Statements]:
        """The newest committed state; between two statements it may move on."""

    def surveying(self) -> AbstractContextManager[Statements | None]:
        """A connection of one's own, each statement in the newest state, which may make tables that go with it.
        ``None`` while somebody else has one, on whatever server."""

    def write(self, work: Callable[[Statements], T]) -> T:
        """A short transaction that leaves others alone as far as it can; its result once it is durable."""

    def interrupt(self) -> None:
        """End the statement that a surveying connection is at, if there is one; it raises DataError."""
