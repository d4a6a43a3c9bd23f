"""A series of writes that do not depend on each other's success, committed many at a time.

Each behaves as if it had a transaction of its own: it sees what came before it, and its failure undoes nothing but
itself. What a shared transaction changes is only that a crash loses the writes of one that was not answered
together, of which nobody could have known anyway. A stretch is short, so that others' writes get in between.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pylon_core.errors import PylonError
from pylon_http import DataStore, TxStore

STRETCH = 100
"""Writes in one transaction: one fsync, a few milliseconds."""

_SAME_FOR_ALL = frozenset({"COMMIT_FAILED", "NOT_AVAILABLE"})
"""After these a repetition would write twice, or fail again."""

T = TypeVar("T")
R = TypeVar("R")


def write_each(store: DataStore, items: Sequence[T], write: Callable[[TxStore, T], R]) -> list[R | PylonError]:
    """For each item what ``write`` returned or why it failed. ``write`` makes one write at most."""
    outcomes: list[R | PylonError] = []
    for start in range(0, len(items), STRETCH):
        outcomes += _together(store, items[start : start + STRETCH], write)
    return outcomes


def _together(store: DataStore, items: Sequence[T], write: Callable[[TxStore, T], R]) -> list[R | PylonError]:
    try:
        return store.transact(lambda tx: [_one(tx, item, write) for item in items])
    except PylonError as error:
        if len(items) > 1 and error.code not in _SAME_FOR_ALL:
            return [outcome for item in items for outcome in _together(store, [item], write)]
        return [error] * len(items)


def _one(tx: TxStore, item: T, write: Callable[[TxStore, T], R]) -> R | PylonError:
    """A failure of the database is not the item's: it ends the transaction."""
    try:
        return write(tx, item)
    except PylonError as error:
        if error.status >= 500:
            raise
        return error
