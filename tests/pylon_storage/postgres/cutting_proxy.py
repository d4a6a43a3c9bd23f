"""A wire between a store and its database that can be cut at a chosen moment."""

import socket
import threading
from contextlib import suppress
from types import TracebackType

from psycopg.conninfo import conninfo_to_dict


class CuttingProxy:
    """Listens on a port of its own and passes everything on, until told otherwise."""

    def __init__(self, url: str) -> None:
        parts = conninfo_to_dict(url)
        self._target = ("127.0.0.1", int(str(parts["port"])))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._swallowed: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._passes = threading.Event()
        self._passes.set()
        self._is_over = False
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.url = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}/{parts['dbname']}"

    def __enter__(self) -> "CuttingProxy":
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on()
        self.cut_for_good()
        for thread in self._threads:
            thread.join(5)

    def swallow_answers(self) -> None:
        """Cut every connection there is as soon as its server answers anything."""
        with self._lock:
            self._swallowed |= self._open

    def stall(self) -> None:
        """Accept everything and pass nothing on, until ``go_on``."""
        self._passes.clear()

    def go_on(self) -> None:
        self._passes.set()

    def cut_for_good(self) -> None:
        """Cut every connection now, and refuse new ones."""
        _end(self._listener)
        with self._lock:
            self._is_over = True
            doomed = set(self._open)
        for connection in doomed:
            _end(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            with self._lock:
                if self._is_over:  # it was accepted just before the end
                    _end(client)
                    _end(server)
                    return
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            from_server = source.getpeername() == self._target
            while data := source.recv(65536):
                if from_server and source in self._swallowed:
                    break
                self._passes.wait()
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _end(source)
        _end(sink)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
