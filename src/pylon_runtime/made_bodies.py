"""Answers that are made while they are sent, as the server sends them.

The first piece is made before anything is said, so what cannot begin is answered with an error. After that a
failure can only break the connection off, which is logged. Any thread may call; a body is one thread's at a time.
"""

from collections.abc import Generator

import structlog

from pylon_http import Response, StreamedResponse
from pylon_runtime.http_stream import BodySource, SourcedResponse

_log = structlog.get_logger(__name__)


def made_while_sent(answer: StreamedResponse) -> Response:
    return SourcedResponse(200, b"", open=lambda: _open(answer.pieces()))


def _open(pieces: Generator[bytes, None, None]) -> BodySource:
    return _MadeBody(next(pieces, b""), pieces)


class _MadeBody:
    def __init__(self, first: bytes, pieces: Generator[bytes, None, None]) -> None:
        self._first = first
        self._pieces = pieces

    def read(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return next(self._pieces, b"")
        except Exception as error:
            _log.exception("answer_broken_off")
            raise ConnectionAbortedError("The rest of the answer cannot be made.") from error

    def close(self) -> None:
        self._pieces.close()
