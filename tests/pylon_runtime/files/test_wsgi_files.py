"""Uploads and downloads inside WSGI hosts: the same answers, the same bytes, nothing half stored."""

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler as StandardHandler
from wsgiref.simple_server import make_server as make_standard_server

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.pylon_runtime.server_rig import RawClient
from tests.support.file_server import BYTES_MAX, FileServer
from tests.support.file_storages import Folder
from tests.support.waiting import until

NOISE = os.urandom(1_000_003)


class QuietStandardHandler(StandardHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Tests read answers, not logs."""


class QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """As above."""


@pytest.fixture(params=["wsgiref", "werkzeug"])
def port(request: pytest.FixtureRequest, local: FileServer) -> Iterator[int]:
    """The application of ``local`` in another server."""
    host: Any
    if request.param == "wsgiref":
        host = make_standard_server("127.0.0.1", 0, local.wsgi, handler_class=QuietStandardHandler)
    else:
        host = make_server("127.0.0.1", 0, local.wsgi, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield host.server_port
    host.shutdown()
    thread.join()
    host.server_close()


def test_bytes_come_back(local: FileServer, port: int) -> None:
    stored = local.ask("POST", "/api/files/upload?private=1", NOISE, port=port, x_filename="n.bin")

    read = local.ask("GET", stored.json["url"], port=port)
    part = local.ask("GET", stored.json["url"], port=port, range="bytes=500000-500009")
    head = local.ask("HEAD", stored.json["url"], port=port)
    current = local.ask("GET", stored.json["url"], port=port, if_none_match=read.headers["etag"])
    stranger = local.ask("GET", stored.json["url"], None, "bob", port=port)

    assert (stored.status, read.status, read.body) == (201, 200, NOISE)
    assert (part.status, part.body) == (206, NOISE[500000:500010])
    assert (head.status, head.headers["content-length"], current.status) == (200, str(len(NOISE)), 304)
    assert (stranger.status, stranger.code) == (404, "FILE_NOT_FOUND")


def test_an_empty_file_comes_back(local: FileServer, port: int) -> None:
    stored = local.ask("POST", "/api/files/upload", b"", port=port)

    assert local.ask("GET", stored.json["url"], port=port).body == b""


def test_a_form_comes_back(local: FileServer, port: int) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + NOISE + b"\r\n--b--\r\n"

    stored = local.ask(
        "POST", "/api/files/upload", body, port=port, content_type="multipart/form-data; boundary=b"
    )

    assert local.ask("GET", stored.json["url"], port=port).body == NOISE


def test_the_order_of_checks_is_the_same(local: FileServer, folder: Folder, port: int) -> None:
    start = "POST /api/files/upload HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length:"
    with RawClient(port) as client:
        large = client.ask(f"{start} {BYTES_MAX + 1}\r\n\r\n".encode())
    with RawClient(port) as client:
        unknown = client.ask(f"{start} 3\r\n\r\n".encode())

    assert (large.status, large.code) == (413, "PAYLOAD_TOO_LARGE")
    assert (unknown.status, unknown.code) == (401, "AUTH_REQUIRED")
    assert folder.names() == []


def test_half_an_upload_leaves_nothing(local: FileServer, folder: Folder, port: int) -> None:
    with RawClient(port) as client:
        client.send(local.head("Content-Length: 1000000", "Connection: close") + b"x" * 300_000)
        until(lambda: folder.names() != [])
        client.socket.shutdown(socket.SHUT_WR)
        reply = client.reply()

    assert (reply.status, reply.code) == (400, "PROTOCOL_ERROR")
    assert (folder.names(), local.file_count()) == ([], 0)


def test_bytes_that_are_gone_are_an_error_and_no_broken_answer(
    local: FileServer, folder: Folder, port: int
) -> None:
    file_id = local.upload(b"abc")
    (folder.path / file_id).unlink()

    answer = local.ask("GET", f"/api/files/{file_id}", port=port)

    assert (answer.status, answer.code) == (404, "FILE_NOT_FOUND")
