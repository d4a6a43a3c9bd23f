"""Where log events go: standard error, one JSON object a line, or coloured text where a person looks."""

import logging
import sys

import structlog


def configure_logs(*, as_json: bool) -> None:
    """For the process that owns the terminal (the command line); a host that embeds pylon has its own."""
    for_person = sys.stderr.isatty() and not as_json
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
