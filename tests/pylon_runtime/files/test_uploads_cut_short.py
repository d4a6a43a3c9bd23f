"""Whatever goes wrong with an upload, nothing half is stored, and nobody else is kept waiting."""

import contextlib
import errno
import os
from collections.abc import Iterator

import pytest

from pylon_runtime.http_limits import ServerLimits
from tests.pylon_runtime.server_rig import get
from tests.support.file_server import FileServer, serving_files
from tests.support.file_storages import Bucket, Folder
from tests.support.waiting import until

SIZE = 12 << 20
LENGTH = f"Content-Length: {SIZE}"


@pytest.fixture(params=["local", "s3"])
def empty(request: pytest.FixtureRequest, folder: Folder) -> Iterator[Folder | Bucket]:
    opened = folder if request.param == "local" else Bucket(request.getfixturevalue("s3_endpoint"))
    yield opened
    if opened is not folder:
        opened.close()


@pytest.mark.parametrize("sent", [0, 1, 100_000, SIZE - 1])
@pytest.mark.parametrize("politely", [True, False], ids=["half-closed", "reset"])
def test_an_upload_that_ends_early_leaves_nothing(empty: Folder | Bucket, sent: int, politely: bool) -> None:
    with serving_files(empty.storage, bytes_max=SIZE) as server:
        with server.client() as client:
            client.send(server.head(LENGTH) + b"x" * sent)
            if politely:
                client.socket.shutdown(1)
                reply = client.reply()
                assert (reply.status, reply.code) == (400, "PROTOCOL_ERROR")
        until(lambda: empty.names() == [])

        assert server.file_count() == 0


def test_an_upload_that_stalls_is_given_up_and_leaves_nothing(empty: Folder | Bucket) -> None:
    limits = ServerLimits(progress_timeout_s=0.3, linger_timeout_s=0.2)

    with serving_files(empty.storage, limits, bytes_max=SIZE) as server, server.client() as client:
        reply = client.ask(server.head(LENGTH) + b"x" * 6_000_000)
        until(lambda: empty.names() == [])

        assert (reply.status, reply.code, server.file_count()) == (408, "REQUEST_TIMEOUT", 0)


@pytest.mark.parametrize("lines", [(LENGTH,), ("Transfer-Encoding: chunked",)], ids=["declared", "chunked"])
def test_what_is_too_large_is_refused_and_leaves_nothing(folder: Folder, lines: tuple[str, ...]) -> None:
    with serving_files(folder.storage, bytes_max=1000) as server, server.client() as client:
        reply = client.ask(server.head(*lines) + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n")

        assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")
        until(lambda: folder.names() == [])


def test_the_largest_allowed_is_stored(folder: Folder) -> None:
    with serving_files(folder.storage, bytes_max=1000) as server:
        statuses = [server.ask("POST", "/api/files/upload", b"x" * size).status for size in (1000, 1001)]

    assert statuses == [201, 413]


def test_size_is_looked_at_before_identity_and_identity_before_the_body(folder: Folder) -> None:
    with serving_files(folder.storage, bytes_max=1000) as server:
        start = "POST /api/files/upload HTTP/1.1\r\nHost: t\r\nContent-Length: "
        with server.client() as client:
            large = client.ask(f"{start}1001\r\n\r\n".encode())
        with server.client() as client:
            unknown = client.ask(f"{start}1000\r\n\r\n".encode())

    assert (large.status, large.code) == (413, "PAYLOAD_TOO_LARGE")
    assert (unknown.status, unknown.code) == (401, "AUTH_REQUIRED")
    assert folder.names() == []


def test_more_uploads_at_once_than_there_are_slots_are_told_to_come_back(folder: Folder) -> None:
    with serving_files(folder.storage, uploads_max=2) as server, contextlib.ExitStack() as clients:
        busy = [clients.enter_context(server.client()) for _ in range(2)]
        for client in busy:
            client.send(server.head("Content-Length: 3") + b"a")
        until(lambda: len(folder.names()) == 2)
        refused = server.ask("POST", "/api/files/upload", b"abc")
        other = server.ask("GET", "/api/files")
        done = [client.ask(b"bc") for client in busy]
        again = server.ask("POST", "/api/files/upload", b"abc")

    assert (refused.status, refused.code) == (503, "NOT_AVAILABLE")
    assert other.status == 200
    assert [reply.status for reply in done] == [201, 201]
    assert again.status == 201


def test_a_disk_that_is_full_is_told_and_leaves_nothing(
    local: FileServer, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    monkeypatch.setattr("pylon_storage.files.local.os.write", write)
    answer = local.ask("POST", "/api/files/upload", b"x" * 100_000)

    assert (answer.status, answer.code) == (500, "WRITE_FAILED")
    assert str(folder.path) not in answer.body.decode()
    assert (folder.names(), local.file_count()) == ([], 0)


def test_uploads_and_other_requests_share_a_connection(local: FileServer) -> None:
    with local.client() as client:
        replies = [
            client.ask(local.head("Content-Length: 3") + b"abc"),
            client.ask(get("/health")),
            client.ask(local.head("Content-Length: 3") + b"abc"),
            client.ask(local.head("Content-Length: 3") + b"abc"),
            client.ask(local.head("Content-Length: 0")),
        ]

    assert [reply.status for reply in replies] == [201, 200, 201, 201, 201]
    assert local.file_count() == 4


def test_bytes_that_are_gone_from_the_storage_are_a_file_not_found(local: FileServer, folder: Folder) -> None:
    file_id = local.upload(b"abc")
    (folder.path / file_id).unlink()

    answer = local.ask("GET", f"/api/files/{file_id}")

    assert (answer.status, answer.code) == (404, "FILE_NOT_FOUND")


def test_a_file_that_lost_bytes_breaks_the_answer_off(local: FileServer, folder: Folder) -> None:
    file_id = local.upload(b"x" * 200_000)
    os.truncate(folder.path / file_id, 100_000)

    with local.client() as client:
        client.send(get(f"/api/files/{file_id}", f"Authorization: Bearer {local.tokens['alice']}"))
        head = client.until(b"\r\n\r\n")

        assert b"Content-Length: 200000" in head
        assert len(client.rest()) == 100_000
