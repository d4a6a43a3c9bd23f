"""Files in a real server process: large ones in little memory, and what is left when the process is killed."""

import hashlib
import http.client
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.server.rig import ADMIN_TOKEN, Server, serving, write_app
from tests.support.file_storages import KEY, make_bucket, s3_server
from tests.support.waiting import PATIENCE_S, until

MIB = 1 << 20
LARGE = 200 * MIB
GROWTH_MAX = 30 * MIB
BLOCK = os.urandom(MIB)
START = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
END = b"\r\n--b--\r\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app")


@pytest.fixture
def server(app: Path) -> Iterator[Server]:
    with serving(app, env={"PYLON_FILES_BYTES_MAX": str(1 << 30), "PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as running:
        yield running


class Upload(msgspec.Struct):
    id: str
    size: int
    url: str


def upload(
    server: Server, body: Iterable[bytes], size: int, token: str, content_type: str = "video/mp4"
) -> Upload:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Length": str(size),
        "Content-Type": content_type,
    }
    connection.request("POST", "/api/files/upload", body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 201, answer
    return msgspec.json.decode(answer, type=Upload)


def digest_of(server: Server, path: str, token: str) -> tuple[int, str]:
    """Size and SHA-256 of a file, read as it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    digest, size = hashlib.sha256(), 0
    while piece := response.read(MIB):
        digest.update(piece)
        size += len(piece)
    connection.close()
    return size, digest.hexdigest()


def memory_peak(server: Server) -> int:
    """The most memory the process has had so far, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def blocks(size: int) -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield BLOCK


def digest_of_blocks(size: int) -> str:
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    return digest.hexdigest()


def uploads(app: Path) -> list[str]:
    return sorted(file.name for file in (app / ".pylon" / "uploads").rglob("*") if file.is_file())


def warm_up(server: Server, token: str) -> None:
    """What is imported and prepared with the first file is not what grows with a large one."""
    digest_of(server, upload(server, [b"abc"], 3, token).url, token)
    form = START + b"abc" + END
    upload(server, [form], len(form), token, "multipart/form-data; boundary=b")


def test_a_large_file_goes_through_in_little_memory(server: Server) -> None:
    token, _ = server.guest()
    warm_up(server, token)
    before = memory_peak(server)

    raw = upload(server, blocks(LARGE), LARGE, token)
    form_size = len(START) + LARGE + len(END)
    form = upload(
        server,
        (piece for part in ([START], blocks(LARGE), [END]) for piece in part),
        form_size,
        token,
        "multipart/form-data; boundary=b",
    )
    digests = [digest_of(server, file.url, token) for file in (raw, form)]

    assert (raw.size, form.size) == (LARGE, LARGE)
    assert digests == [(LARGE, digest_of_blocks(LARGE))] * 2
    assert memory_peak(server) - before < GROWTH_MAX


def test_a_client_that_reads_slowly_costs_little_memory(server: Server) -> None:
    token, _ = server.guest()
    file = upload(server, blocks(LARGE), LARGE, token)
    warm_up(server, token)
    before = memory_peak(server)

    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for client in slow:
        lines = (f"GET {file.url} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", "", "")
        client.sendall("\r\n".join(lines).encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    answered = [server.request("GET", "/api/auth/me", token=token)[0] for _ in range(20)]
    grown = memory_peak(server) - before
    for client in slow:
        client.close()

    assert answered == [200] * 20
    assert grown < GROWTH_MAX


def test_a_kill_in_the_middle_of_an_upload_leaves_nothing_and_loses_nothing(app: Path, server: Server) -> None:
    token, _ = server.guest()
    whole = upload(server, blocks(MIB), MIB, token)
    client = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST /api/files/upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    client.sendall(f"{head}Content-Length: {2 * MIB}\r\n\r\n".encode() + BLOCK)
    until(lambda: len(uploads(app)) == 2, "the upload's first bytes on disk")

    server.kill()
    client.close()
    server.start()
    _, answer = server.request("GET", "/api/files", token=ADMIN_TOKEN)

    assert [file["id"] for file in answer["data"]] == [whole.id]
    assert uploads(app) == [whole.id]
    assert digest_of(server, whole.url, token) == (MIB, digest_of_blocks(MIB))


def test_a_stop_in_the_middle_of_an_upload_lets_it_end(app: Path, server: Server) -> None:
    token, _ = server.guest()
    client = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST /api/files/upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    client.sendall(f"{head}Content-Length: {2 * MIB}\r\n\r\n".encode() + BLOCK)
    until(lambda: len(uploads(app)) == 1, "the upload's first bytes on disk")

    os.kill(server.pid, 15)
    server.await_log("server_stopping")
    client.sendall(BLOCK)
    answer = client.recv(100)
    client.close()

    assert answer.startswith(b"HTTP/1.1 201 ")
    assert server.wait(PATIENCE_S) == 0
    assert len(uploads(app)) == 1


def test_a_bucket_serves_as_well_as_a_folder_and_in_as_little_memory(app: Path) -> None:
    with s3_server() as endpoint:
        bucket = {
            "PYLON_FILES_PROVIDER": "s3",
            "PYLON_S3_BUCKET": make_bucket(endpoint),
            "PYLON_S3_ENDPOINT": endpoint,
            "PYLON_S3_ACCESS_KEY": KEY,
            "PYLON_S3_SECRET_KEY": KEY,
            "PYLON_FILES_BYTES_MAX": str(1 << 30),
        }
        with serving(app, env=bucket) as server:
            token, _ = server.guest()
            warm_up(server, token)
            before = memory_peak(server)
            size = 60 * MIB

            file = upload(server, blocks(size), size, token)

            assert digest_of(server, file.url, token) == (size, digest_of_blocks(size))
            assert memory_peak(server) - before < GROWTH_MAX
            assert not (app / ".pylon" / "uploads").exists()


def test_an_unknown_provider_stops_the_start(app: Path) -> None:
    server = Server(app, env={"PYLON_FILES_PROVIDER": "stack0"})
    server.start(wait=False)

    assert server.wait(PATIENCE_S) == 1
    assert "PYLON_FILES_PROVIDER" in server.log_text()
