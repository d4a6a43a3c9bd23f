"""The log of requests: by default only those that failed here or took long, so the fast path writes nothing.

Events: ``request`` (info), ``request_slow`` (warning), ``request_failed`` (error, with the traceback when the
code crashed). Paths are logged without what may be nobody's business: the query, and the value that is looked up.
Any thread may call.
"""

import structlog

from pylon_http import Request
from pylon_runtime.config import AccessLog

SLOW_S = 1.0

_LOOKUP = "/api/lookup/"

_log = structlog.get_logger(__name__)


class RequestLog:
    def __init__(self, access_log: AccessLog) -> None:
        self._all = access_log is AccessLog.ALL

    def wants(self, status: int, elapsed_s: float) -> bool:
        return status >= 500 or elapsed_s >= SLOW_S or self._all

    def write(
        self, request: Request, *, status: int, elapsed_s: float, request_id: str, ip: str, crash: Exception | None
    ) -> None:
        fields = {
            "method": request.method,
            "path": shown_path(request.target),
            "status": status,
            "ms": round(elapsed_s * 1000, 1),
            "request_id": request_id,
            "ip": ip,
        }
        if status >= 500:
            _log.error("request_failed", **fields, exc_info=crash)
        elif elapsed_s >= SLOW_S:
            _log.warning("request_slow", **fields)
        else:
            _log.info("request", **fields)


def shown_path(target: str) -> str:
    """``/api/lookup/User/email/…`` for a look-up, any other path as it is."""
    path = target.partition("?")[0]
    if not path.startswith(_LOOKUP):
        return path
    segments = path.split("/", 5)
    return path if len(segments) < 6 else f"{'/'.join(segments[:5])}/…"
