"""What a client says about a file it sends, made fit to be kept: its name and its content type."""

from typing import Any

import pytest

from pylon_http import Request, Response, StoredFile, Upload
from pylon_runtime.uploads import Uploads


class Draft:
    """Keeps what it is given in memory."""

    def __init__(self, name: str, content_type: str) -> None:
        self.file = StoredFile("file_1", "alice", name, content_type, 0, "", False, 0)
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def commit(self) -> StoredFile:
        return self.file

    def abort(self) -> None:
        """Nothing is left anyway."""


def receive(body: bytes = b"abc", **headers: str) -> tuple[str, str]:
    """Name and content type of what was stored."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    stored: list[StoredFile] = []

    def render(file: StoredFile) -> Response:
        stored.append(file)
        return Response.json({})

    Uploads(1000).receive(Upload(Draft, render), Request("POST", "/", sent, body, "10.0.0.1"))
    return stored[0].name, stored[0].content_type


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("photo.png", "photo.png"),
        ("a%20b.txt", "a b.txt"),
        ("100%25", "100%"),
        ("bad%zz", "bad%zz"),
        ("%ff", "\N{REPLACEMENT CHARACTER}"),
        ("C:%5Cdocs%5Ca.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("a%00b%0D%0Ac", "abc"),
        ("%20%20", "upload"),
        ("", "upload"),
        ("folder/", "upload"),
        ("x" * 1000, "x" * 255),
        ("%E2%80%AEgnp.exe", "gnp.exe"),
    ],
)
def test_a_name_is_decoded_and_loses_its_folders_and_what_cannot_be_shown(sent: str, name: str) -> None:
    assert receive(x_filename=sent)[0] == name


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("image/png", "image/png"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("text/plain\r\nX-Evil: 1", "application/octet-stream"),
        ("text/plain; é", "application/octet-stream"),
        ("a/" + "b" * 300, "application/octet-stream"),
    ],
)
def test_a_content_type_is_kept_if_it_is_one(sent: str, kept: str) -> None:
    assert receive(content_type=sent)[1] == kept


def test_a_slot_is_free_again_also_after_a_failure() -> None:
    uploads = Uploads(1000, uploads_max=1)
    request = Request("POST", "/", {}, b"abc", "10.0.0.1")

    def fail(name: str, content_type: str) -> Any:
        raise RuntimeError("no storage")

    for _ in range(3):
        with pytest.raises(RuntimeError):
            uploads.receive(Upload(fail, lambda file: Response.json({})), request)
