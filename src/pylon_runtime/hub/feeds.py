"""What single connections asked to hear besides the change feed: documents, live queries.

``deliver`` and ``drop`` are called by the dispatcher on its own thread, so a feed's state needs no lock; they must
neither block nor raise. What other threads want of a feed they post to the hub.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from pylon_runtime.hub.connection import Connection

MessageHandler = Callable[[Connection, Mapping[str, Any]], None]
"""Serves one message of a client on its reader's thread, which holds a turn meanwhile; it may wait, in
``blocking``. What a client may not say or did not mean is passed over: nothing may be raised."""


class Feed(Protocol):
    @property
    def messages(self) -> Mapping[str, MessageHandler]:
        """What clients say to it, by the type of the message."""

    @property
    def refusals(self) -> Mapping[str, MessageHandler]:
        """Which of these are answered when they are too long to be read; the handlers get what members stand first
        and are texts."""

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
        """For one that cannot be sent what it is to hear next. It is dropped from every feed meanwhile."""

    def close_for_fault(self, connections: Collection[Connection]) -> None:
        """For those who cannot be told of an event because judging it failed. Called where that is handled; it is
        logged."""
