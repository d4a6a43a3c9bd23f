"""``pylon dev`` follows functions in Python: their files, what they import, and what is wrong with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import Server, serving, write_app
from tests.support.waiting import until

FUNCTION = """
from pylon_functions import query
import beside
from functions.deep.helper import DEEP
from package.inner import INNER

@query
def versions(ctx) -> list[int]:
    return [1, DEEP, beside.BESIDE, INNER]
"""


def write_sources(app: Path) -> None:
    for name, text in {
        "functions/versions.py": FUNCTION,
        "functions/deep/helper.py": "DEEP = 1\n",
        "beside.py": "BESIDE = 1\n",
        "package/__init__.py": "",
        "package/inner.py": "INNER = 1\n",
    }.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(text)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    app = write_app(tmp_path / "app")
    write_sources(app)
    with serving(app, env={"PYTHONDONTWRITEBYTECODE": ""}) as server:
        yield server


def test_whatever_a_function_is_made_of_is_followed(server: Server) -> None:
    def serves(*versions: int) -> bool:
        return server.request("POST", "/api/fn/versions", {}) == (200, list(versions))

    until(lambda: serves(1, 1, 1, 1), "the first version")

    (server.app / "functions" / "versions.py").write_text(FUNCTION.replace("[1,", "[2,"))
    until(lambda: serves(2, 1, 1, 1), "the function file")
    (server.app / "functions" / "deep" / "helper.py").write_text("DEEP = 2\n")
    until(lambda: serves(2, 2, 1, 1), "the module in a subfolder")
    (server.app / "beside.py").write_text("BESIDE = 2\n")
    until(lambda: serves(2, 2, 2, 1), "the module beside the folder")
    (server.app / "package" / "inner.py").write_text("INNER = 20\n")
    until(lambda: serves(2, 2, 2, 20), "the package beside the folder")
    assert list((server.app / "functions").rglob("__pycache__")) == []


def test_what_is_wrong_with_a_file_is_a_diagnostic_and_the_others_go_on(server: Server) -> None:
    broken = server.app / "functions" / "broken.py"

    broken.write_text("from functions import nowhere\n")
    server.await_log("error[FUNCTION_FILE_ERROR] functions/broken.py:1: ImportError: cannot import name 'nowhere'")
    assert server.request("POST", "/api/fn/versions", {}) == (200, [1, 1, 1, 1])

    broken.write_text("from pylon_functions import query\n@query\nasync def later(ctx): pass\n")
    server.await_log("functions/broken.py:2: The function later cannot be used: it is async")


def test_what_is_wrong_at_the_start_is_told_as_well(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app")
    (app / "functions").mkdir(exist_ok=True)
    (app / "functions" / "broken.py").write_text("\ndef half(:\n")

    with serving(app) as server:
        server.await_log("error[FUNCTION_FILE_ERROR] functions/broken.py:2: SyntaxError")
