"""Hearing what other processes commit: a thread that listens on a connection of its own.

Postgres notifies every process of each commit, of how far the log goes now; the follower has the publication
read what it lacks, and hands on notices. Between notifications it asks by itself now and then, so that one that
was lost delays an event and loses none. When the connection is gone it makes a new one, and catches up before it
listens on; subscribers to notices hear with every try that they may have missed some.

``start`` and ``stop`` are for the store's owner; only the follower's thread touches the connection.
"""

import random
import select
import socket
import threading
from collections.abc import Callable

import psycopg
import structlog

from pylon_http import DataError
from pylon_storage.postgres import changelog, notices
from pylon_storage.postgres.connection import Connection
from pylon_storage.postgres.notices import Notices
from pylon_storage.postgres.publication import Publication

START_SECONDS = 2.0
POLL_SECONDS = 2.0
COALESCE_SECONDS = 0.001
"""After each wake-up: under load many notifications make one."""
PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 2.0

_LISTEN = f"LISTEN {changelog.CHANNEL}; LISTEN {notices.CHANNEL}".encode()

log = structlog.get_logger("pylon.storage")


class Follower:
    """``origin`` is this process, whose own commits are published by whoever makes them."""

    def __init__(
        self, connect: Callable[[], Connection], publication: Publication, heard: Notices, origin: str
    ) -> None:
        self._connect = connect
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
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    connection.add_notify_handler(lambda notify: self._heard(notify.channel, notify.payload))
                    connection.execute(_LISTEN)
                    self._has_tried.set()
                    self._notices.tell_of_a_gap()
                    self._catch_up(connection)
                    failures = 0
                    self._listen(connection)
            except (DataError, psycopg.Error) as error:
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
        found = connection.execute(b"SELECT max(seq) FROM _pylon_changes").fetchone()
        if found is not None and found[0] is not None:
            self._publication.reach(found[0])
