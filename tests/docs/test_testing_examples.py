"""The pages on functions in Python and on testing hold: their app is the guide's, and its tests pass as shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import DOCS, Document

PAGES = ("python-functions.md", "testing.md")


def write_app(folder: Path) -> None:
    (manifest,) = (block for block in Document(DOCS / "guide.md").blocks if block.file == "pylon.manifest.json")
    (add_todo,) = (block for block in Document(DOCS / "functions.md").blocks if block.file == "addTodo.ts")
    files = {"pylon.manifest.json": manifest.text, "functions/addTodo.ts": add_todo.text}
    for page in PAGES:
        for block in Document(DOCS / page).blocks:
            kind, _, name = block.note.partition("=")
            if kind in ("file", "app"):
                files[name] = block.text
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_the_tests_it_shows_pass(tmp_path: Path) -> None:
    write_app(tmp_path)
    environ = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pylon_runtime.pytest_plugin",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }

    run = subprocess.run(
        [sys.executable, "-m", "pylon_cli", "test", "--json"],
        cwd=tmp_path,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["total"] == 2


def test_its_python_is_typed_strictly(tmp_path: Path) -> None:
    write_app(tmp_path)
    files = ["functions/todos.py", "tests/test_todos.py"]

    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", "", *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert run.stdout.startswith("Success"), run.stdout
