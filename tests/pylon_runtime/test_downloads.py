"""The headers that go with a file: what a browser may show, and under which name it saves."""

import pytest

from pylon_http import StoredFile
from pylon_runtime.downloads import content_disposition


def stored(name: str = "a", content_type: str = "text/plain") -> StoredFile:
    return StoredFile("file_1", "alice", name, content_type, 1, "00", False, 0)


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("image/png", True),
        ("IMAGE/PNG", True),
        ("image/webp", True),
        ("audio/mpeg", True),
        ("video/mp4", True),
        ("application/pdf", True),
        ("text/plain", True),
        ("text/plain; charset=utf-8", True),
        ("image/svg+xml", False),
        ("image/svg+xml; charset=utf-8", False),
        ("text/html", False),
        ("text/html;x=image/png", False),
        ("application/xhtml+xml", False),
        ("text/xml", False),
        ("text/javascript", False),
        ("application/octet-stream", False),
        ("multipart/form-data", False),
        ("image/unheard-of", False),
    ],
)
def test_only_what_cannot_hold_a_script_is_shown_in_the_window(content_type: str, shown: bool) -> None:
    disposition = content_disposition(stored(content_type=content_type))

    assert disposition.startswith("inline;" if shown else "attachment;")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.png", 'inline; filename="photo.png"'),
        ("a b.txt", 'inline; filename="a b.txt"'),
        ("grün.txt", "inline; filename=\"gr_n.txt\"; filename*=UTF-8''gr%C3%BCn.txt"),
        ('"; x="y', "inline; filename=\"_; x=_y\"; filename*=UTF-8''%22%3B%20x%3D%22y"),
        ("a\\b", "inline; filename=\"a_b\"; filename*=UTF-8''a%5Cb"),
        ("🎲", "inline; filename=\"_\"; filename*=UTF-8''%F0%9F%8E%B2"),
    ],
)
def test_a_name_cannot_leave_its_header(name: str, expected: str) -> None:
    assert content_disposition(stored(name)) == expected
