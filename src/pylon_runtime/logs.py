"""Where log events go: standard error, one JSON object a line, or coloured text where a person looks."""

import logging
import sys
from contextlib import suppress
from typing import TextIO

import structlog


def configure_logs(*, as_json: bool) -> None:
    """For the process that owns the terminal (the command line); a host that embeds pylon has its own."""
    stream: TextIO | None = sys.stderr  # None when it was closed before we started
    for_person = stream is not None and stream.isatty() and not as_json
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if for_person else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if for_person else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: EventLines(stream),
        cache_logger_on_first_use=True,
    )


class EventLines:
    """Writes rendered events, a line each, in one write so that threads do not mix theirs. Any thread may call.

    A line that cannot be written is dropped: neither a full disk nor a closed pipe behind standard error may
    fail the request that had something to say.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def msg(self, event: str) -> None:
        if self._stream is None:
            return
        with suppress(OSError, ValueError):  # ValueError: the stream was closed
            self._stream.write(f"{event}\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = log = msg
