"""The log of requests says what went wrong, and during an outage says so now and then."""

import pytest
from structlog.testing import capture_logs

from pylon_http import Request
from pylon_runtime.config import AccessLog
from pylon_runtime.request_log import QUIET_S, RequestLog
from tests.pylon_runtime.hub.harness import SetClock


def write(log: RequestLog, status: int, *, cause: Exception | None = None) -> None:
    request = Request("GET", "/api/entities/Note", {}, b"", "127.0.0.1")
    log.write(request, status=status, elapsed_s=0, request_id="r", ip="127.0.0.1", cause=cause)


def test_many_answers_of_503_are_one_line_in_a_while() -> None:
    clock = SetClock()
    log = RequestLog(AccessLog.PROBLEMS, clock)
    with capture_logs() as lines:
        for _ in range(100):
            write(log, 503)
        clock.seconds += QUIET_S
        write(log, 503)

    assert [(line["event"], line["count"]) for line in lines] == [("request_failed", 1), ("request_failed", 100)]


@pytest.mark.parametrize(
    ("access_log", "status", "cause"),
    [
        pytest.param(AccessLog.ALL, 503, None, id="all are asked for"),
        pytest.param(AccessLog.PROBLEMS, 500, None, id="another status"),
        pytest.param(AccessLog.PROBLEMS, 503, ValueError("x"), id="code crashed"),
    ],
)
def test_every_other_failure_has_a_line_of_its_own(
    access_log: AccessLog, status: int, cause: Exception | None
) -> None:
    log = RequestLog(access_log, SetClock())
    with capture_logs() as lines:
        for _ in range(3):
            write(log, status, cause=cause)

    assert len(lines) == 3
