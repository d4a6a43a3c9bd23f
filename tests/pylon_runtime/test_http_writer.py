"""Heads as bytes: what is rendered once, what is rendered each time, what is never written."""

import pytest

from pylon_http import Response
from pylon_runtime.http_writer import ResponseWriter
from tests.pylon_runtime.server_rig import FakeClock


class MovingClock(FakeClock):
    def now_ns(self) -> int:
        return int(self.seconds * 1e9)


def head(writer: ResponseWriter, response: Response) -> bytes:
    return writer.head(response, keep_alive=True, http_1_0=False)


def test_a_head_is_complete() -> None:
    writer = ResponseWriter(FakeClock(), (("X-Frame-Options", "DENY"),))

    text = head(writer, Response(201, b"{}", headers=(("X-A", "1"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"))))

    assert text == (
        b"HTTP/1.1 201 Created\r\nServer: pylon\r\nX-Frame-Options: DENY\r\nContent-Type: application/json\r\n"
        b"Date: Tue, 14 Nov 2023 22:13:20 GMT\r\nX-A: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
        b"Content-Length: 2\r\n\r\n"
    )


def test_the_date_moves_when_refreshed() -> None:
    clock = MovingClock()
    writer = ResponseWriter(clock)
    before = head(writer, Response(200, b""))
    clock.seconds += 3600

    writer.refresh_date()

    assert b"00:16:40" in before
    assert b"01:16:40" in head(writer, Response(200, b""))


def test_statuses_without_a_name_are_written() -> None:
    assert head(ResponseWriter(FakeClock()), Response(299, b"")).startswith(b"HTTP/1.1 299 Unknown\r\n")


def test_answers_with_ever_new_content_types_take_no_memory() -> None:
    writer = ResponseWriter(FakeClock())

    for n in range(2000):
        assert f"type/{n}\r\n".encode() in head(writer, Response(200, b"", f"type/{n}"))

    assert len(writer._prefixes) <= 256


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
def test_framing_is_not_the_handlers_to_decide(name: str) -> None:
    with pytest.raises(ValueError):
        head(ResponseWriter(FakeClock()), Response(200, b"", headers=((name, "0"),)))


@pytest.mark.parametrize(
    "pair", [("A", "b\r\nC: d"), ("A\r\nB", "c"), ("A", "b\nC: d"), ("A", "b\0"), ("A", "b\r")]
)
def test_line_breaks_in_headers_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        head(ResponseWriter(FakeClock()), Response(200, b"", headers=(pair,)))
