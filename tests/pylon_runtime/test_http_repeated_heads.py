"""Repeated header blocks are not parsed again, and nobody can tell: a connection that has seen a request
understands each later one exactly as a new connection would."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_parser import Arrival, RequestParser

LIMITS = ServerLimits(target_bytes_max=200)
USUAL = b"\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n"
POST = b"\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

HEADS = (
    USUAL,
    POST,
    b"\r\nHost: a\r\nX: \r\n\r\n",
    b"\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n",
    b"\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    b"\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"\nHost: a\n\n",
    b"\nHost: a\r\nX: y\r\n\r\n",
    b"\r\nX: no host\r\n\r\n",
)
LINES = (
    b"GET /a HTTP/1.1",
    b"GET /b?c=%20 HTTP/1.1",
    b"POST /a HTTP/1.1",
    b"DELETE /x HTTP/1.1",
    b"HEAD / HTTP/1.1",
    b"get /a HTTP/1.1",
    b"BREW /a HTTP/1.1",
    b"GET  /a HTTP/1.1",
    b"GET /a  HTTP/1.1",
    b"GET\t/a HTTP/1.1",
    b"GET /a\x80 HTTP/1.1",
    b"GET /a#b HTTP/1.1",
    b"GET a HTTP/1.1",
    b"GET http://a/b HTTP/1.1",
    b"GET /a HTTP/1.0",
    b"GET /a HTTP/2.0",
    b"GET /a",
    b"\r\nGET /a HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1",
    b"GET /" + b"x" * 300 + b" HTTP/1.1",
)
BODIES = (b"", b"hello", b"hell", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\n\r\n")

requests = st.builds(
    lambda line, head, body: line + head + body,
    st.sampled_from(LINES),
    st.sampled_from(HEADS),
    st.sampled_from(BODIES),
)


def drain(parser: RequestParser) -> list[Arrival]:
    arrivals = list(parser.arrivals)
    parser.arrivals.clear()
    return arrivals


def understood(stream: list[bytes]) -> tuple[list[Arrival], object]:
    """What one connection makes of these chunks, up to where it would end."""
    parser = RequestParser(LIMITS, "1.2.3.4")
    arrivals: list[Arrival] = []
    for chunk in stream:
        parser.feed(chunk)
        arrivals += drain(parser)
        if parser.failure is not None or parser.tail is not None:
            break
    return arrivals, (
        parser.failure and str(parser.failure),
        parser.phase,
        parser.tail is None,
        parser.expects_continue,
    )


def understood_in_bytes(stream: list[bytes]) -> tuple[list[Arrival], object]:
    """The same bytes one at a time: no chunk is ever a whole request, so nothing is taken as repeated."""
    return understood([bytes([byte]) for chunk in stream for byte in chunk])


@settings(max_examples=300, deadline=None)
@given(st.lists(requests, min_size=1, max_size=5), st.sampled_from((USUAL, POST)))
def test_a_connection_with_a_past_understands_what_one_that_cannot_remember_does(
    later: list[bytes], head: bytes
) -> None:
    first = b"POST /first HTTP/1.1" + head + (b"hello" if head is POST else b"")

    assert understood([first, *later]) == understood_in_bytes([first, *later])


@pytest.mark.parametrize("line", LINES, ids=repr)
@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_every_kind_of_request_line_behind_a_remembered_head(line: bytes, body: bytes) -> None:
    stream = [b"GET /first HTTP/1.1" + USUAL, line + USUAL + body]

    assert understood(stream) == understood_in_bytes(stream)


def test_a_repeated_head_is_really_not_parsed_again() -> None:
    parser = RequestParser(LIMITS, "1.2.3.4")

    for target in (b"/a", b"/b", b"/c"):
        parser.feed(b"GET %b HTTP/1.1%b" % (target, USUAL))
    first, second, third = drain(parser)

    assert [arrival.request.target for arrival in (first, second, third)] == ["/a", "/b", "/c"]
    assert second.request.headers is first.request.headers
    assert third.request.headers is first.request.headers


def test_a_long_head_is_not_remembered() -> None:
    parser = RequestParser(ServerLimits(), "1.2.3.4")
    long_head = b"\r\nHost: a\r\nX: " + b"x" * 3000 + b"\r\n\r\n"

    for target in (b"/a", b"/b"):
        parser.feed(b"GET %b HTTP/1.1%b" % (target, long_head))
    first, second = drain(parser)

    assert second.request.headers == first.request.headers
    assert second.request.headers is not first.request.headers
