"""The one boundary where Postgres' exceptions become ours; messages never carry SQL text or values.

a ``DataError``   the statement was refused, or cannot be done
``Restart``       nothing is wrong with it, but its transaction is over and has to be done anew
"""

import re

import psycopg
from psycopg import errors

from pylon_http import DataError


class Restart(Exception):  # noqa: N818 - what is to be done, rather than what went wrong
    """The transaction could not be put in an order with others, or lost its connection before it was committed.

    It passes through the work of callers, who may expect a ``PylonError`` of any statement and go on: it is none.
    """


CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected)

ENCODING_ERRORS = (psycopg.Error, UnicodeEncodeError, OverflowError)
"""What ``refused`` translates: Postgres' refusals, and values that cannot be sent to it."""

_KEY_OF_DETAIL = re.compile(r"\((.+?)\)=\(")
"""``Key (a, b)=(1, 2) already exists.``, in whatever language the server speaks."""


def is_lost(connection: psycopg.Connection, error: Exception) -> bool:
    """Whether the connection is gone, and not just the statement.

    What the server says has an SQLSTATE. What libpq says by itself is that it could not speak to the server; a
    connection that fails in sending does not count as closed before it is read from.
    """
    if connection.closed or isinstance(error, errors.AdminShutdown | errors.CrashShutdown):
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return type(error) is psycopg.OperationalError and error.sqlstate is None


def refused(error: Exception) -> DataError:
    """A statement that reads: a value that Postgres cannot compare is the caller's fault, the rest is ours."""
    if isinstance(error, psycopg.DataError | UnicodeEncodeError | OverflowError):
        return DataError("INVALID_QUERY", "A value in the query cannot be compared.")
    if isinstance(error, errors.QueryCanceled):
        return DataError("NOT_AVAILABLE", "The database took too long for this.")
    if isinstance(error, errors.LockNotAvailable):
        return DataError("NOT_AVAILABLE", "Somebody else is changing the same. Try again soon.")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return DataError("NOT_AVAILABLE", "The database takes no writes at the moment.")
    return DataError("QUERY_FAILED", "The database could not do this.", status=500)


def change_refused(entity: str, code: str, error: Exception) -> DataError:
    """A write of one row, under the code INSERT_FAILED, UPDATE_FAILED or DELETE_FAILED."""
    if isinstance(error, errors.UniqueViolation):
        return DataError(code, f"{entity} already has a row with this {_columns(error)}.", status=409)
    if isinstance(error, errors.NotNullViolation):
        return DataError(code, f"{entity}.{error.diag.column_name} is required.")
    if isinstance(error, errors.ProgramLimitExceeded):
        return DataError(code, f"The row is too large for {entity}.")
    if isinstance(error, psycopg.IntegrityError):
        return DataError(code, f"The row does not satisfy a constraint of {entity}.")
    if isinstance(error, psycopg.DataError | UnicodeEncodeError | OverflowError):
        return DataError(code, f"{entity} cannot hold one of the values.")
    return refused(error)


def _columns(error: errors.UniqueViolation) -> str:
    found = _KEY_OF_DETAIL.search(error.diag.message_detail or "")
    return found[1].replace('""', "\0").replace('"', "").replace("\0", '"') if found else "value"
