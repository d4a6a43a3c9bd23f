"""What single connections asked to hear besides the change feed: documents, live queries.

A feed's methods are called by the dispatcher on its own thread, so its state needs no lock; it must neither
block nor raise. What other threads want of it they post to the hub.
"""

from collections.abc import Collection
from typing import Protocol

from pylon_runtime.hub.connection import Connection


class Feed(Protocol):
    def deliver(self, start: int, end: int) -> None:
        """The hub's log has new entries at these positions. One may be gone already: who should have heard of it
        must be closed."""

    def drop(self, connection: Connection) -> None:
        """Nothing will be sent to the connection any more; it may never have asked for anything."""


class Sender(Protocol):
    """The dispatcher, as feeds see it."""

    def push(self, connections: Collection[Connection], frame: bytes) -> None:
        """Send each a frame after those pushed before; one that has too many waiting is closed, to ask again.
        Whoever ends thereby is dropped from every feed, so ``connections`` must not change with that."""

    def withdraw(self, connection: Connection) -> None:
        """Take a connection off the change feed for good: it hears only what is pushed to it."""

    def close_for_lag(self, connection: Connection) -> None:
        """For one that cannot be sent what it is to hear next."""

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """Have it end for another reason. It is dropped from every feed before this returns."""
