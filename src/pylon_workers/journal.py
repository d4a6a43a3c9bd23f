"""The undo journal: what would take back each write of the transaction that is open.

D1 has no transaction that spans calls. So each write is an atomic batch of its own, and among its statements is
one that notes in ``_pylon_journal`` how to undo it. Clearing the journal is the commit. Undoing reads the journal
from the database and not from memory, so it takes back exactly what was done: also when the answer to a batch was
lost, and also at the next start, when the process did not live to the end of its transaction.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_core.turns import blocking
from pylon_workers.executor import D1Error, D1Executor, Statement
from pylon_workers.translate import unavailable
from pylon_workers.values import bound

TABLE = "CREATE TABLE IF NOT EXISTS _pylon_journal (step INTEGER PRIMARY KEY, undo TEXT NOT NULL)"
_NOTE = "INSERT INTO _pylon_journal VALUES (?, ?)"
_AFTER = "SELECT undo FROM _pylon_journal WHERE step > ? ORDER BY step DESC"
_FORGET = "DELETE FROM _pylon_journal WHERE step > ?"

_decoder = msgspec.json.Decoder(list[tuple[str, list[Any]]])


def note(step: int, undo: Sequence[Statement]) -> Statement:
    """The statement that belongs into the batch of a write."""
    return Statement(_NOTE, (step, jsontext.encode(undo).decode()))


def bind(statement: Statement) -> Statement:
    return Statement(statement.text, [bound(value) for value in statement.params])


def undo_after(executor: D1Executor, step: int) -> bool:
    """Take back, in one atomic batch, what was done after ``step``; whether there was any. Raises ``D1Error``."""
    with blocking():
        noted = executor.query(_AFTER, (step,))
        if noted:
            undo = [bind(Statement(*statement)) for (text,) in noted for statement in _decoder.decode(text)]
            executor.batch([*undo, Statement(_FORGET, (step,))])
    return bool(noted)


def clear(executor: D1Executor) -> None:
    """Commit. Raises DataError NOT_AVAILABLE when that did not happen, ``D1Error`` when nobody knows.

    An answer that was lost is no failure: the journal itself tells.
    """
    with blocking():
        try:
            executor.execute(_FORGET, (0,))
        except D1Error as error:
            if executor.query(_AFTER, (0,)):
                raise unavailable() from error
