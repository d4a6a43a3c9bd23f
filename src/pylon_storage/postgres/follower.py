"""Hearing what other processes commit: a thread that listens on a connection of its own.

Postgres notifies every process of each commit, of how far the log goes now; the follower has the publication
read what it lacks, and hands on notices. Between notifications it asks by itself now and then, so that one that
was lost delays an event and loses none. When the connection is gone it makes a new one, and catches up before it
listens on; subscribers to notices hear with every try that they may have missed some.

A server that does not answer and does not let go either (it is stopped, the way to it swallows everything) is not
noticed by those who wait for an answer. The follower asks with a deadline, and when it gets no new connection in
time either, it has everybody's connections cut.

``start`` and ``stop`` are for the store's owner; only the follower's thread touches the connection.
"""

import random
import select
import socket
import threading
import time
from collections.abc import Callable

import psycopg
import structlog
from psycopg import errors
from psycopg.pq import ExecStatus

from pylon_http import DataError
from pylon_storage.postgres import changelog, notices
from pylon_storage.postgres.connection import Connection
from pylon_storage.postgres.notices import Notices
from pylon_storage.postgres.publication import Publication

START_SECONDS = 2.0
POLL_SECONDS = 2.0
ANSWER_SECONDS = 4.0
COALESCE_SECONDS = 0.001
"""After each wake-up: under load many notifications make one."""
PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 2.0

_LISTEN = f"LISTEN {changelog.CHANNEL}; LISTEN {notices.CHANNEL}".encode()

log = structlog.get_logger("pylon.storage")


class _Silent(Exception):  # noqa: N818 - a fact
    """The server did not answer in time."""


class Follower:
    """``origin`` is this process, whose own commits are published by whoever makes them; ``cut`` ends what others
    wait for."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        publication: Publication,
        heard: Notices,
        cut: Callable[[], None],
        origin: str,
    ) -> None:
        self._connect = connect
        self._cut = cut
        self._publication = publication
        self._notices = heard
        self._origin = origin
        self._stop = threading.Event()
        self._has_tried = threading.Event()
        self._bell, self._ear = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="postgres-follower", daemon=True)

    def start(self) -> None:
        """Returns once it listens, or has failed to."""
        self._thread.start()
        self._has_tried.wait(START_SECONDS)

    def stop(self, timeout: float) -> None:
        """Safe twice."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._bell.send(b"!")
        self._thread.join(timeout)
        if self._thread.is_alive():
            log.error("threads_did_not_stop", threads=[self._thread.name])
            return
        self._bell.close()
        self._ear.close()

    def _run(self) -> None:
        failures = 0
        is_silent = False
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    is_silent = False
                    _ask(connection, _LISTEN)
                    self._has_tried.set()
                    self._notices.tell_of_a_gap()
                    self._catch_up(connection)
                    failures = 0
                    self._listen(connection)
            except _Silent:
                is_silent = True
            except (DataError, psycopg.Error) as error:
                if is_silent or isinstance(error.__cause__, errors.ConnectionTimeout):
                    self._cut()
                    is_silent = False
                failures += 1
                self._has_tried.set()
                if failures == 1:
                    log.warning("follower_disconnected", error=type(error).__name__)
                self._notices.tell_of_a_gap()
                self._stop.wait(random.uniform(0.5, 1) * min(PAUSE_SECONDS * 2**failures, PAUSE_SECONDS_MAX))
            except Exception as error:
                log.critical("thread_failed", thread=self._thread.name, exc_info=error)
                self._stop.wait(PAUSE_SECONDS_MAX)

    def _listen(self, connection: Connection) -> None:
        """Returns when it is to stop; raises when the connection is gone."""
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._ear, select.POLLIN)
        while not self._stop.is_set():
            if poll.poll(POLL_SECONDS * 1000):
                self._receive(connection)
                self._stop.wait(COALESCE_SECONDS)
            else:
                self._catch_up(connection)

    def _receive(self, connection: Connection) -> None:
        connection.pgconn.consume_input()
        while (notify := connection.pgconn.notifies()) is not None:
            self._heard(notify.relname.decode(), notify.extra.decode())

    def _heard(self, channel: str, payload: str) -> None:
        if channel == notices.CHANNEL:
            self._notices.tell(payload)
            return
        seq, origin = payload.split(" ")
        if origin != self._origin:
            self._publication.reach(int(seq))

    def _catch_up(self, connection: Connection) -> None:
        newest = _ask(connection, b"SELECT max(seq) FROM _pylon_changes")
        self._receive(connection)
        if newest is not None:
            self._publication.reach(int(newest))


def _ask(connection: Connection, text: bytes) -> bytes | None:
    """The first value of the answer. Raises ``_Silent``, ``psycopg.Error``. What the server announces meanwhile is
    kept for whoever listens."""
    server = connection.pgconn
    server.send_query(text)
    server.flush()
    value = None
    poll = select.poll()
    poll.register(server.socket, select.POLLIN)
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        if server.is_busy():
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise _Silent
            server.consume_input()
            continue
        result = server.get_result()
        if result is None:
            return value
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.OperationalError("the server refused to answer")
        value = result.get_value(0, 0) if result.ntuples else None
