"""The fixtures of pytest: ``pylon_app``, a server of the app, and ``pylon_client``, who uses it.

pytest loads this module in every project of the environment, so it stands apart from what the fixtures are made of
and imports that when a test asks.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pylon_runtime.testing.client import PylonClient

APP_OPTION = "pylon_app"
URL_VARIABLE = "PYLON_TEST_URL"
TOKEN_VARIABLE = "PYLON_TEST_ADMIN_TOKEN"

_MANIFESTS = ("app.ts", "pylon.manifest.json")
_LOG_BEFORE: pytest.StashKey[tuple["PylonApp", int]] = pytest.StashKey()


class PylonApp(Protocol):
    """The server that the tests of a session talk to. ``admin_token`` is its administrator's, where known."""

    @property
    def url(self) -> str: ...

    @property
    def admin_token(self) -> str | None: ...

    def log_text(self) -> str:
        """What it logged so far, what functions printed included."""


class _GivenServer:
    """One that ``pylon test`` started, and shows the log of."""

    def __init__(self, url: str, admin_token: str | None) -> None:
        self.url = url
        self.admin_token = admin_token

    def log_text(self) -> str:
        return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(APP_OPTION, "Folder of the pylon app to test (default: the nearest one that has a manifest).")


@pytest.fixture(scope="session")
def pylon_app(pytestconfig: pytest.Config) -> Iterator[PylonApp]:
    """A real server of the app, in memory; one for the whole session, or the one that ``pylon test`` started."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        yield _GivenServer(url, os.environ.get(TOKEN_VARIABLE))
        return
    from pylon_runtime.testing.server import InMemoryServer

    with InMemoryServer(_app_folder(pytestconfig)) as server:
        yield server


@pytest.fixture
def pylon_client(pylon_app: PylonApp, request: pytest.FixtureRequest) -> "PylonClient":
    """Nobody in particular, in front of an empty database: ``pylon_client.as_user("ann").call("add_todo", …)``."""
    from pylon_runtime.testing.client import PylonClient

    client = PylonClient(pylon_app.url, pylon_app.admin_token)
    client.reset()
    request.node.stash[_LOG_BEFORE] = (pylon_app, len(pylon_app.log_text()))
    return client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what the server logged meanwhile."""
    report = yield
    if report.failed and _LOG_BEFORE in item.stash:
        app, before = item.stash[_LOG_BEFORE]
        if logged := app.log_text()[before:]:
            report.sections.append(("pylon server", logged))
    return report


def _app_folder(config: pytest.Config) -> Path:
    named: str = config.getini(APP_OPTION)
    if named:
        return config.rootpath / named
    folder = _nearest([config.invocation_params.dir, *config.invocation_params.dir.parents])
    if folder is None:
        setting = f"{APP_OPTION} = path/to/app"
        raise pytest.UsageError(f"There is no pylon app here or above; write in pytest's configuration: {setting}")
    return folder


def _nearest(folders: Sequence[Path]) -> Path | None:
    return next((folder for folder in folders if any((folder / name).is_file() for name in _MANIFESTS)), None)
