"""The address a person can open."""

import pytest

from pylon_cli.banner import address, summary
from pylon_core.jsontext import encode
from pylon_core.manifest import parse_manifest
from tests.strategies.documents import notes_app


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://localhost:4321"),
        ("0.0.0.0", "http://localhost:4321"),
        ("::1", "http://localhost:4321"),
        ("192.168.1.7", "http://192.168.1.7:4321"),
        ("fe80::7", "http://[fe80::7]:4321"),
    ],
)
def test_the_address(host: str, expected: str) -> None:
    assert address(host, 4321) == expected


def test_an_app_in_one_line() -> None:
    manifest = parse_manifest(encode(notes_app()))

    assert summary(manifest) == "notes 0.1.0: 2 entities, 0 queries, 0 actions, 1 policies, 0 routes"
