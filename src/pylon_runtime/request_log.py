"""The log of requests: by default only those that failed here or took long, so the fast path writes nothing.

Events: ``request`` (info), ``request_slow`` (warning), ``request_failed`` (error, with the traceback when the
code crashed, or an error became an answer of 500). While something that all depend on is away, 503 is what
everybody gets: of those without a traceback one line in ten seconds says how many there were since the last. Paths
are logged without what may be nobody's business: the query, and the value that is looked up. Any thread may call;
the lock guards the count.
"""

import threading
import traceback

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import Request
from pylon_runtime.config import AccessLog

SLOW_S = 1.0

QUIET_S = 10.0
"""Between two lines about 503s."""

_UNAVAILABLE = 503
_LOOKUP = "/api/lookup/"

_log = structlog.get_logger(__name__)


class RequestLog:
    def __init__(self, access_log: AccessLog, clock: Clock) -> None:
        self._all = access_log is AccessLog.ALL
        self._monotonic = clock.monotonic
        self._lock = threading.Lock()
        self._quiet_until = self._monotonic()
        self._held_back = 0

    def wants(self, status: int, elapsed_s: float) -> bool:
        return status >= 500 or elapsed_s >= SLOW_S or self._all

    def write(
        self, request: Request, *, status: int, elapsed_s: float, request_id: str, ip: str, cause: Exception | None
    ) -> None:
        """``cause`` is told of failures only."""
        fields = {
            "method": request.method,
            "path": shown_path(request.target),
            "status": status,
            "ms": round(elapsed_s * 1000, 1),
            "request_id": request_id,
            "ip": ip,
        }
        if status == _UNAVAILABLE and cause is None and not self._all:
            if count := self._due():
                _log.error("request_failed", **fields, count=count)
        elif isinstance(cause, PylonError):
            _log.error("request_failed", **fields, exception=causes(cause))
        elif status >= 500:
            _log.error("request_failed", **fields, exc_info=cause)
        elif elapsed_s >= SLOW_S:
            _log.warning("request_slow", **fields)
        else:
            _log.info("request", **fields)

    def _due(self) -> int:
        """How many a line is due about, this one included; 0 for now."""
        with self._lock:
            self._held_back += 1
            now = self._monotonic()
            if now < self._quiet_until:
                return 0
            self._quiet_until = now + QUIET_S
            count, self._held_back = self._held_back, 0
            return count


def causes(error: BaseException) -> str:
    """The traceback of an error and of what caused it, by types: only our own texts are known to quote neither
    values nor paths."""
    told = []
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        kind = type(found)
        frames = "".join(traceback.format_tb(found.__traceback__))
        text = f": {found}" if isinstance(found, PylonError) else ""
        told.append(f"Traceback (most recent call last):\n{frames}{kind.__module__}.{kind.__qualname__}{text}")
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return "\n\ncaused by\n\n".join(told)


def shown_path(target: str) -> str:
    """``/api/lookup/User/email/…`` for a look-up, any other path as it is."""
    path = target.partition("?")[0]
    if not path.startswith(_LOOKUP):
        return path
    segments = path.split("/", 5)
    return path if len(segments) < 6 else f"{'/'.join(segments[:5])}/…"
