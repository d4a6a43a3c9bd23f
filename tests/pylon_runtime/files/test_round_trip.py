"""What is uploaded comes back byte for byte, over both storages, whatever its size, its shape and its name."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_runtime.http_body import RECV_BYTES
from pylon_storage.files import local
from pylon_storage.files.s3 import PIECE_BYTES
from tests.support.file_server import FileServer

NOISE = os.urandom(PIECE_BYTES + RECV_BYTES)
_EDGES = (0, 1 << 16, local.PIECE_BYTES, RECV_BYTES, PIECE_BYTES)

sizes = st.builds(lambda edge, by: max(0, edge + by), st.sampled_from(_EDGES), st.integers(-3, 3))
NO_DEADLINE = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def form(data: bytes, filename: str = "a.bin", boundary: str = "bbb", content_type: str = "image/png") -> bytes:
    return (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhi\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            f"Content-Type: {content_type}\r\n\r\n"
        ).encode()
        + data
        + f"\r\n--{boundary}--\r\n".encode()
    )


@NO_DEADLINE
@given(sizes, st.booleans())
def test_raw_bytes_come_back(server: FileServer, size: int, chunked: bool) -> None:
    data = NOISE[:size]

    file_id = server.upload(iter([data[: size // 2], data[size // 2 :]]) if chunked else data)
    answer = server.ask("GET", f"/api/files/{file_id}")

    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["content-length"] == str(size)


@NO_DEADLINE
@given(sizes)
def test_the_file_of_a_form_comes_back(server: FileServer, size: int) -> None:
    data = NOISE[:size]

    file_id = server.upload(form(data), content_type="multipart/form-data; boundary=bbb")
    answer = server.ask("GET", f"/api/files/{file_id}")

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, data, "image/png")


@NO_DEADLINE
@given(sizes, st.data())
def test_any_range_is_that_part_of_the_file(server: FileServer, size: int, draw: st.DataObject) -> None:
    file_id = server.upload(NOISE[:size])
    start = draw.draw(st.integers(0, size + 2))
    last = draw.draw(st.integers(start, size + 2))

    answer = server.ask("GET", f"/api/files/{file_id}", range=f"bytes={start}-{last}")

    if start >= size:
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
        assert answer.code == "RANGE_NOT_SATISFIABLE"
    else:
        end = min(last, size - 1)
        assert (answer.status, answer.body) == (206, NOISE[start : end + 1])
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{size}"


def test_the_answer_has_id_size_and_url(server: FileServer) -> None:
    answer = server.ask("POST", "/api/files/upload", b"hello world", x_filename="photo.png")

    file_id = answer.json["id"]
    assert answer.status == 201
    assert answer.json == {"id": file_id, "size": 11, "url": f"/api/files/{file_id}"}
    assert file_id.startswith("file_")
    assert file_id.endswith("_photo_png")


def test_a_file_without_a_type_and_a_name_has_the_defaults(server: FileServer) -> None:
    file_id = server.upload(b"abc")

    answer = server.ask("GET", f"/api/files/{file_id}")

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="upload"'
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("sent", "plain", "extended"),
    [
        pytest.param("gr%C3%BC%C3%9Fe.txt", "gr__e.txt", "gr%C3%BC%C3%9Fe.txt", id="percent-encoded"),
        pytest.param("grüße.txt".encode().decode("latin-1"), "gr__e.txt", "gr%C3%BC%C3%9Fe.txt", id="raw UTF-8"),
        pytest.param("gr\u00fc.txt", "gr_.txt", "gr%C3%BC.txt", id="Latin-1"),
        pytest.param('a"b.txt', "a_b.txt", "a%22b.txt", id="quote"),
        pytest.param("50%25.txt", "50_.txt", "50%25.txt", id="percent sign"),
    ],
)
def test_a_name_beyond_plain_text_is_given_in_both_forms(
    server: FileServer, sent: str, plain: str, extended: str
) -> None:
    file_id = server.upload(b"abc", x_filename=sent)

    answer = server.ask("GET", f"/api/files/{file_id}")

    assert answer.headers["content-disposition"] == (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"
    )


def test_head_tells_what_get_would(server: FileServer) -> None:
    file_id = server.upload(b"hello", content_type="text/plain")

    got, head = (server.ask(method, f"/api/files/{file_id}") for method in ("GET", "HEAD"))

    for answer in (got, head):
        answer.headers.pop("date")
    assert (head.status, head.body, head.headers) == (200, b"", got.headers)
    assert head.headers["content-length"] == "5"


def test_who_has_the_file_gets_304(server: FileServer) -> None:
    file_id = server.upload(b"hello")
    etag = server.ask("HEAD", f"/api/files/{file_id}").headers["etag"]

    answers = [
        server.ask("GET", f"/api/files/{file_id}", if_none_match=tags).status
        for tags in (etag, f'"other", W/{etag}', "*", '"other"')
    ]

    assert answers == [304, 304, 304, 200]


def test_a_range_of_another_version_is_the_whole_file(server: FileServer) -> None:
    file_id = server.upload(b"hello")
    etag = server.ask("HEAD", f"/api/files/{file_id}").headers["etag"]

    answers = [
        server.ask("GET", f"/api/files/{file_id}", range="bytes=1-2", if_range=version)
        for version in (etag, '"other"', "Mon, 01 Jan 2024 00:00:00 GMT")
    ]

    assert [(answer.status, answer.body) for answer in answers] == [
        (206, b"el"),
        (200, b"hello"),
        (200, b"hello"),
    ]


def test_head_has_no_ranges(server: FileServer) -> None:
    file_id = server.upload(b"hello")

    answer = server.ask("HEAD", f"/api/files/{file_id}", range="bytes=1-2")

    assert (answer.status, answer.headers["content-length"]) == (200, "5")


def test_a_deleted_file_is_gone(server: FileServer) -> None:
    file_id = server.upload(b"hello")

    deleted = server.ask("DELETE", f"/api/files/{file_id}")
    answers = [server.ask(method, f"/api/files/{file_id}") for method in ("GET", "DELETE")]

    assert (deleted.status, deleted.json) == (200, {"deleted": True})
    assert [(answer.status, answer.code) for answer in answers] == [(404, "FILE_NOT_FOUND")] * 2
