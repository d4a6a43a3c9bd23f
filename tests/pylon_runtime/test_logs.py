"""Log events go to standard error, and a line that cannot be written costs nobody a request."""

import io
import json
import threading
from collections.abc import Iterator

import pytest
import structlog

from pylon_runtime.logs import EventLines, configure_logs


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_an_event_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(as_json=True)

    structlog.get_logger("x").error("it_failed", what="tea", exc_info=ValueError("two\nlines"))

    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["what"], event["level"]) == ("it_failed", "tea", "error")
    assert "ValueError" in event["exception"]


def test_details_for_developers_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(as_json=True)

    structlog.get_logger("x").debug("detail")

    assert capsys.readouterr().err == ""


def test_lines_that_cannot_be_written_are_dropped() -> None:
    closed = io.StringIO()
    closed.close()
    full = io.TextIOWrapper(FullDisk())

    for stream in (closed, full, None):
        EventLines(stream).msg("nobody reads this")


class FullDisk(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError("No space left on device")


def test_lines_of_many_threads_do_not_mix() -> None:
    stream = io.StringIO()
    lines = EventLines(stream)

    def write(number: int) -> None:
        for _ in range(200):
            lines.info(str(number) * 100)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(stream.getvalue().splitlines()) == sorted(str(n) * 100 for n in range(5) for _ in range(200))
