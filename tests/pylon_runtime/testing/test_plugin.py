"""The fixtures of pytest, in runs of pytest of their own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pylon_runtime.testing import InMemoryServer
from tests.pylon_runtime.testing.apps import write_app

PLUGIN = "pylon_runtime.pytest_plugin"
TEN_LINES = """
import pytest
from pylon_runtime.testing import PylonClient, PylonError

def test_a_signed_in_user_sells(pylon_client: PylonClient) -> None:
    lot = pylon_client.as_user("ann").call("sell", {"title": "vase"})
    assert pylon_client.as_admin().rows("Lot")[0]["id"] == lot

def test_nobody_sells_and_nothing_of_the_other_test_is_left(pylon_client: PylonClient) -> None:
    with pytest.raises(PylonError):
        pylon_client.call("sell", {"title": "vase"})
    assert pylon_client.as_admin().rows("Lot") == []
"""


def run_pytest(app: Path, *options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """In the app's folder, as its author does; the fixtures are there whether or not this package is installed."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", PLUGIN, *options],
        cwd=app,
        env={**given, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    app = write_app(tmp_path / "lots")
    (app / "tests").mkdir()
    return app


def test_pytest_finds_the_fixtures_by_itself() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {"pylon": PLUGIN}


def test_projects_that_do_not_use_it_hardly_notice_it() -> None:
    script = (
        f"import sys, pytest; before = set(sys.modules); import {PLUGIN}; "
        "print(sorted(name for name in set(sys.modules) - before if name.startswith('pylon')))"
    )

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == str(["pylon_runtime", PLUGIN])


def test_ten_lines_test_a_function_and_each_test_has_an_empty_database(app: Path) -> None:
    (app / "tests" / "test_lots.py").write_text(TEN_LINES)

    run = run_pytest(app, "-q")

    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_a_failing_test_shows_what_the_server_said_meanwhile(app: Path) -> None:
    (app / "tests" / "test_lots.py").write_text(
        "def test_one(pylon_client):\n"
        "    pylon_client.as_user('ann').call('sell', {'title': 'first'})\n"
        "def test_two(pylon_client):\n"
        "    pylon_client.as_user('ann').call('sell', {'title': 'second'})\n"
        "    assert 0\n"
    )

    run = run_pytest(app)

    assert "pylon server" in run.stdout
    assert "selling second" in run.stdout
    assert "selling first" not in run.stdout


def test_the_server_ends_with_the_session(app: Path) -> None:
    (app / "tests" / "test_lots.py").write_text("def test_url(pylon_app): print('at', pylon_app.url)\n")

    run = run_pytest(app, "-s")

    url = re.search(r"at http://127\.0\.0\.1:(\d+)", run.stdout)
    assert url is not None
    listening = Path("/proc/net/tcp").read_text()
    assert f"0100007F:{int(url[1]):04X} 00000000:0000 0A" not in listening


def test_the_app_may_be_named_and_a_missing_one_is_told_of(app: Path, tmp_path: Path) -> None:
    (tmp_path / "test_lots.py").write_text(TEN_LINES)

    without = run_pytest(tmp_path)
    named = run_pytest(tmp_path, "-o", "pylon_app=lots")

    assert without.returncode == 1
    assert "pylon_app = path/to/app" in without.stdout
    assert named.returncode == 0, named.stdout


def test_a_server_that_is_there_already_is_taken(app: Path, tmp_path: Path) -> None:
    (tmp_path / "test_lots.py").write_text(TEN_LINES)

    with InMemoryServer(app) as server:
        run = run_pytest(tmp_path, PYLON_TEST_URL=server.url, PYLON_TEST_ADMIN_TOKEN=server.admin_token)

        assert run.returncode == 0, run.stdout
        assert "selling vase" in server.log_text()
