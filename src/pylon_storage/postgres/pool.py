"""The connections of a store: how they are made, lent, and given up when the server is gone.

``psycopg_pool`` makes them on threads of its own, as many as are wanted up to a bound. A connection that died
while it lay idle (the server restarted, somebody ended it) shows in its socket, which is looked at before it is
lent: that takes a microsecond, where asking the server would take a round trip for every request.

While the server is known to be gone nobody waits long for a connection, but the pool keeps trying, so whoever
comes after it is back gets one. While all are lent, one waits for the next. Whoever will keep one for long, since
it waits for something else than the database meanwhile, takes a place for that first (``long_work``): there are
fewer places than connections, so the others always find some that come back soon.

``is_available`` is a plain flag, written by whoever found out last, as is when the idle ones were given up last.

Any thread may call any method.
"""

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import structlog
from psycopg import RawCursor
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from pylon_core.turns import blocking
from pylon_http import DataError
from pylon_storage.postgres import values
from pylon_storage.postgres.connection import Connection

CONNECTIONS_IDLE = 2
CONNECTIONS_MAX = 20
LONG_SHARE = 0.75
"""Of the connections, for long work."""
WAIT_SECONDS = 10.0
"""How long a request waits for a connection while all are lent."""
LOOK_SECONDS = 1.0
"""How often it looks meanwhile whether the server is gone."""
WAIT_SECONDS_WHEN_GONE = 0.05
CLOSE_SECONDS = 5.0
GIVE_UP_SECONDS = 0.25

STATEMENT_MS = 30_000
LOCK_MS = 10_000
IDLE_IN_TRANSACTION_MS = 120_000
"""Longer than any function may take between two of its statements; then its locks are let go."""

_SETTINGS = (
    f"{values.SESSION}; SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};"
    f" SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}"
).encode()

log = structlog.get_logger("pylon.storage")

# It says with each attempt what ``database_unavailable`` says once.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


def connect(conninfo: str) -> Connection:
    """A connection outside of any pool, on which tables may change. Raises DataError NOT_AVAILABLE."""
    try:
        connection = psycopg.connect(conninfo, **{**_options(), "prepare_threshold": None})
        _configure(connection)
    except psycopg.OperationalError as error:
        raise _unavailable() from error
    return connection


class Pool:
    def __init__(self, conninfo: str, connections_max: int = CONNECTIONS_MAX) -> None:
        self.is_available = True
        """Whether the server could be reached at the last try."""
        self._given_up_at = -GIVE_UP_SECONDS
        self._lent: set[Connection] = set()
        self._long_places = threading.Semaphore(max(1, int(connections_max * LONG_SHARE)))
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            kwargs=_options(),
            configure=_configure,
            min_size=min(CONNECTIONS_IDLE, connections_max),
            max_size=connections_max,
            reconnect_timeout=1.0,
            reconnect_failed=lambda _pool: self.note_unreachable(),
            name="postgres",
            open=True,
        )

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """Raises DataError NOT_AVAILABLE when there is none in time. What is left open in it is rolled back."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    @contextmanager
    def lend_replaceable(self) -> Iterator["Loan"]:
        """As ``lend``, for statements that can be sent again."""
        loan = Loan(self)
        try:
            yield loan
        finally:
            loan.end()

    @contextmanager
    def long_work(self, wait_s: float) -> Iterator[None]:
        """A place for what will keep a connection for long. Raises DataError NOT_AVAILABLE."""
        with blocking():
            has_place = self._long_places.acquire(timeout=max(0.0, wait_s))
        if not has_place:
            raise _busy()
        try:
            yield
        finally:
            self._long_places.release()

    def take(self) -> Connection:
        while True:
            connection = self._get()
            if not _is_dead(connection):
                break
            connection.close()
            self._pool.putconn(connection)
        self._lent.add(connection)
        self.note_reached()
        return connection

    def give_back(self, connection: Connection) -> None:
        self._lent.discard(connection)
        with blocking():
            self._pool.putconn(connection)

    def give_up_idle(self) -> None:
        """A connection was lost, and the others probably are as well. Many may say so at a time: not so often that
        it hits those made since."""
        now = time.monotonic()
        if now - self._given_up_at >= GIVE_UP_SECONDS:
            self._given_up_at = now
            self._pool.drain()

    def cut(self) -> None:
        """The server does not answer: whoever waits for it finds the connection lost."""
        lent = self._lent.copy()
        if lent:
            log.error("database_silent", connections=len(lent))
        for connection in lent:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        self._pool.drain()

    def close(self) -> None:
        self._pool.close(CLOSE_SECONDS)

    def _get(self) -> Connection:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                with blocking():
                    return self._pool.getconn(LOOK_SECONDS if self.is_available else WAIT_SECONDS_WHEN_GONE)
            except PoolClosed as error:
                raise DataError("NOT_AVAILABLE", "The database is closed.") from error
            except PoolTimeout as error:
                if not self.is_available:
                    raise _unavailable() from error
                if time.monotonic() >= deadline:
                    raise _busy() from error

    def note_reached(self) -> None:
        """Somebody has spoken to the server, perhaps on a connection of its own."""
        if not self.is_available:
            self.is_available = True
            log.info("database_available")

    def note_unreachable(self) -> None:
        if self.is_available:
            self.is_available = False
            log.error("database_unavailable", error="it does not accept connections")


class Loan:
    """A connection that can be replaced when it turns out to be gone. Used by one thread at a time."""

    __slots__ = ("_is_held", "_pool", "connection")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.connection = pool.take()
        self._is_held = True

    def replace(self) -> None:
        """Raises DataError NOT_AVAILABLE."""
        self.end()
        self._pool.give_up_idle()
        self.connection = self._pool.take()
        self._is_held = True

    def end(self) -> None:
        if self._is_held:
            self._is_held = False
            self._pool.give_back(self.connection)


def _options() -> dict[str, Any]:
    return {"autocommit": True, "cursor_factory": RawCursor, "context": values.Values(), "prepare_threshold": 0}


def _configure(connection: Connection) -> None:
    connection.execute(_SETTINGS, prepare=False)


def _is_dead(connection: Connection) -> bool:
    """Nobody speaks unasked on a connection that lies idle, save the server to say that it is over."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _busy() -> DataError:
    return DataError("NOT_AVAILABLE", "The database is busy. Try again soon.")


def _unavailable() -> DataError:
    return DataError("NOT_AVAILABLE", "The database cannot be reached. Try again soon.")
