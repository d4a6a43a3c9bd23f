"""psycopg's connection as this package uses it: rows are tuples, transactions are opened by hand.

psycopg prepares each text once on a connection and remembers which. It forgets them all at every ROLLBACK that it
sees, and what it sees in a pipeline it forgets one statement too late, after which that one is missing. So it sees
none: what is undone is undone with libpq itself.
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
