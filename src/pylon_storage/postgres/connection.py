"""psycopg's connection as this package uses it: rows are tuples, transactions are opened by hand.

psycopg prepares texts by itself and remembers which. Two things would make its memory wrong. A text it had seen a
few times before is taken for prepared although the pipeline failed before it: so each is prepared at first
sight (``prepare_threshold`` 0), which psycopg checks. And at a ROLLBACK it forgets all of them, in a pipeline one
text too late: so it is not shown any, and what is undone is undone with libpq itself.
"""

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.rows import TupleRow

from pylon_core.turns import blocking

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]


def undo(connection: Connection, text: bytes) -> bool:
    """Do a ROLLBACK of some kind; when that cannot be done close the connection, and say so."""
    with blocking():
        result = connection.pgconn.exec_(text)
    if result.status == ExecStatus.COMMAND_OK:
        return True
    connection.close()
    return False


def roll_back(connection: Connection) -> None:
    """End whatever transaction is open; close the connection when that cannot be done."""
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        try:
            undo(connection, b"ROLLBACK")
        except psycopg.Error:
            connection.close()
