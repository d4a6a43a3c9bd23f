"""Framing without sockets: what is a request, what is refused, and that segmentation never matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.http_parser import Handshake, Phase, RequestParser

RECV_BYTES = 1 << 16
LIMITS = ServerLimits(target_bytes_max=100, header_bytes_max=500, headers_max=10, body_bytes_max=1000)


def parse(*pieces: bytes) -> RequestParser:
    parser = RequestParser(LIMITS, "192.0.2.1")
    for piece in pieces:
        parser.feed(piece)
    return parser


def head(*lines: str, method: str = "GET", target: str = "/", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: h", *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01", 400, id="TLS"),
        pytest.param(b"FROB / HTTP/1.1\r\n\r\n", 400, id="unknown method"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(head("Host: two"), 400, id="two hosts"),
        pytest.param(head(version="2.0"), 505, id="HTTP/2.0"),
        pytest.param(b"GET /\r\n\r\n", 505, id="HTTP/0.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2 preface"),
        pytest.param(b"GET / HTTP/1.1\nHost: h\n\n", 400, id="bare line feeds"),
        pytest.param(head("X : 1"), 400, id="space before the colon"),
        pytest.param(head("X: 1", " folded"), 400, id="folded header"),
        pytest.param(head("X: \0"), 400, id="NUL in a value"),
        pytest.param(head(target="/\u00e9"), 400, id="target not ASCII"),
        pytest.param(head("Content-Length: -1"), 400, id="negative length"),
        pytest.param(head("Content-Length: 1, 1"), 400, id="list of lengths"),
        pytest.param(head("Content-Length: 1", "Content-Length: 1"), 400, id="length twice"),
        pytest.param(head("Content-Length: " + "0" * 30 + "1"), 400, id="very long length"),
        pytest.param(head("Content-Length: 1", "Transfer-Encoding: chunked"), 400, id="length and chunked"),
        pytest.param(head("Transfer-Encoding: chunked", "Content-Length: 1"), 400, id="chunked and length"),
        pytest.param(head("Transfer-Encoding: chunked, identity"), 400, id="chunked not last"),
        pytest.param(head("Transfer-Encoding: gzip, chunked"), 501, id="compressed body"),
        pytest.param(head("Transfer-Encoding: chunked", version="1.0"), 400, id="chunked in 1.0"),
        pytest.param(head("Transfer-Encoding: chunked") + b"x\r\n", 400, id="bad chunk size"),
        pytest.param(head("Transfer-Encoding: chunked") + b"1\r\nabc", 400, id="chunk too long"),
        pytest.param(head("Transfer-Encoding: chunked") + b"3e9\r\n" + b"x" * 1001, 413, id="chunks too large"),
        pytest.param(head("Transfer-Encoding: chunked") + b"1;" + b"e" * 200_000, 400, id="endless extension"),
        pytest.param(head("Content-Length: 1001"), 413, id="body too large"),
        pytest.param(head(target="/" + "x" * 100), 414, id="target too long"),
        pytest.param(head("X: " + "x" * 500), 431, id="header too large"),
        pytest.param(head(*[f"X{n}: 1" for n in range(10)]), 431, id="too many headers"),
        pytest.param(head()[:-2] + b"X: " + b"x" * 200_000, 431, id="endless header"),
        pytest.param(head(method="CONNECT", target="h:1"), 400, id="CONNECT"),
    ],
)
def test_refused_whole_and_byte_by_byte(data: bytes, status: int) -> None:
    whole = parse(*(data[n : n + RECV_BYTES] for n in range(0, len(data), RECV_BYTES)))
    bytewise = parse(*(bytes([byte]) for byte in data))

    for parser in (whole, bytewise):
        assert parser.failure is not None
        assert parser.failure.status == status
        assert not parser.arrivals


@pytest.mark.parametrize(
    ("data", "target"),
    [
        pytest.param(head(target="/a%2Fb?c=d&e"), "/a%2Fb?c=d&e", id="origin form, not decoded"),
        pytest.param(head(target="http://h:1/a?b"), "/a?b", id="absolute form"),
        pytest.param(head(target="http://h"), "/", id="absolute form without a path"),
        pytest.param(head(method="OPTIONS", target="*"), "*", id="asterisk form"),
        pytest.param(b"\r\n\r\n" + head(), "/", id="blank lines before"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", "/", id="1.0 without host"),
    ],
)
def test_accepted(data: bytes, target: str) -> None:
    parser = parse(data)

    assert parser.failure is None
    assert [arrival.request.target for arrival in parser.arrivals] == [target]


def test_header_values_keep_their_inner_text() -> None:
    (arrival,) = parse(head("X-Name:  a b\t ", "X-Empty:", "x-name: \u00e9")).arrivals

    assert arrival.request.headers == {"host": "h", "x-name": "a b, \u00e9", "x-empty": ""}


def test_what_follows_a_refusal_is_not_read() -> None:
    parser = parse(head() + b"BROKEN\r\n\r\n" + head(), head())

    assert len(parser.arrivals) == 1
    assert parser.failure is not None


def test_what_follows_the_last_request_is_not_read() -> None:
    parser = parse(head("Connection: close") + head())

    assert [arrival.keep_alive for arrival in parser.arrivals] == [False]


def test_many_requests_do_not_add_up_to_a_large_one() -> None:
    parser = parse(*[head("X: " + "x" * 400)] * 1000)

    assert parser.failure is None
    assert len(parser.arrivals) == 1000


def test_the_phase_follows_the_bytes() -> None:
    parser = RequestParser(LIMITS, "192.0.2.1")
    phases = [parser.phase]
    for piece in (b"G", b"ET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n", b"\r\n", b"a", b"b"):
        parser.feed(piece)
        phases.append(parser.phase)

    assert phases == [Phase.IDLE, Phase.HEAD, Phase.HEAD, Phase.BODY, Phase.BODY, Phase.IDLE]


def test_a_websocket_handshake_ends_http() -> None:
    parser = parse(head() + head("Connection: keep-alive, Upgrade", "Upgrade: WebSocket") + b"\x81\x80tail")

    assert [arrival.special is Handshake.WEBSOCKET for arrival in parser.arrivals] == [False, True]
    assert parser.tail == b"\x81\x80tail"


@pytest.mark.parametrize("lines", [("Upgrade: websocket",), ("Connection: Upgrade",)])
def test_half_a_handshake_is_an_ordinary_request(lines: tuple[str, ...]) -> None:
    parser = parse(head(*lines))

    assert [arrival.special is Handshake.WEBSOCKET for arrival in parser.arrivals] == [False]
    assert parser.tail is None


def test_another_protocol_is_not_taken_up_and_the_body_is_read() -> None:
    offers = head("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 4", method="POST") + b"body"
    parser = parse(offers * 1000)

    assert [arrival.request.body for arrival in parser.arrivals] == [b"body"] * 1000
    assert parser.failure is None


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8).filter(lambda t: t[0] != "-")
extra_headers = st.lists(st.tuples(tokens.map("x-".__add__), st.text("abc ,;=", max_size=10)), max_size=3)
bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=60).map(lambda body: b"Content-Length: %d\r\n\r\n%b" % (len(body), body)),
    st.lists(st.binary(max_size=20), max_size=4).map(
        lambda parts: b"Transfer-Encoding: chunked\r\n\r\n" + chunked(parts)
    ),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]))
    lines = [f"{method} /{draw(tokens)} HTTP/1.1", "Host: h"]
    lines += [f"{name}: {value}" for name, value in draw(extra_headers)]
    return "\r\n".join(lines).encode() + b"\r\n" + (draw(bodies) or b"\r\n")


@st.composite
def segmented(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream of requests, and the same in pieces."""
    stream = b"".join(draw(st.lists(requests(), min_size=1, max_size=4)))
    cuts = sorted(draw(st.sets(st.integers(1, len(stream)), max_size=30)))
    return stream, [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]


@given(segmented())
def test_segmentation_changes_nothing(case: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = case

    whole, parts = parse(stream), parse(*pieces)

    assert whole.failure is None
    assert parts.failure is None
    assert list(whole.arrivals) == list(parts.arrivals)
    assert whole.phase is parts.phase is Phase.IDLE


@given(requests())
def test_every_split_in_two_gives_the_same(stream: bytes) -> None:
    whole = list(parse(stream).arrivals)

    for cut in range(1, len(stream)):
        assert list(parse(stream[:cut], stream[cut:]).arrivals) == whole


@given(st.lists(st.binary(max_size=200), max_size=5), requests())
def test_no_bytes_break_the_parser(noise: list[bytes], valid: bytes) -> None:
    parser = parse(valid, *noise)

    assert parser.arrivals
    assert parser.failure is None or 400 <= parser.failure.status <= 505
