"""What a runner that makes no pass is taken for: nobody there, somebody starting, or a failure of the workflow."""

import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_http.workflows import WorkflowInstance
from pylon_runtime.app_folder import AppFolder, load_manifest
from pylon_runtime.composition import build
from pylon_runtime.config import ServerConfig
from pylon_runtime.workflows.http_runner import HttpRunner
from pylon_runtime.workflows.runners import FunctionsRunner, PassInterrupted, RunnerAbsent, RunnerAway
from tests.server.rig import write_app

INSTANCE = WorkflowInstance(id="wf_0000000000000001", name="order", input=msgspec.Raw(b"{}"), created_ms=0)


class Refusing(FunctionHost):
    """Everything asked of it ends with one error."""

    def __init__(self, error: PylonError) -> None:
        self._error = error

    def find(self, *_args: Any, **_named: Any) -> Any:
        raise self._error

    def run(self, *_args: Any, **_named: Any) -> Any:
        raise self._error


AWAY = [
    ("FUNCTIONS_NOT_AVAILABLE", RunnerAbsent),
    ("RUNNER_NOT_STARTED", RunnerAway),
    ("NOT_AVAILABLE", RunnerAway),
]


@pytest.mark.parametrize(("code", "kind"), AWAY)
def test_where_nobody_runs_functions_it_is_known_whether_somebody_will(code: str, kind: type[Exception]) -> None:
    runner = FunctionsRunner(Refusing(PylonError(code, "away", status=503)))

    with pytest.raises(RunnerAway) as found:
        runner.find("order")
    with pytest.raises(RunnerAway) as made:
        runner.make_pass(INSTANCE, 1.0)

    assert (type(found.value), type(made.value)) == (kind, kind)


@pytest.mark.parametrize("code", ["FN_NOT_FOUND", "FN_TYPE_MISMATCH"])
def test_a_workflow_it_does_not_have_is_left_to_others(code: str) -> None:
    assert FunctionsRunner(Refusing(PylonError(code, "no"))).find("order") is None


def test_a_process_that_dies_interrupts_the_pass() -> None:
    with pytest.raises(PassInterrupted):
        FunctionsRunner(Refusing(PylonError("RUNNER_EXITED", "gone", status=502))).make_pass(INSTANCE, 1.0)


def test_what_a_handler_throws_is_a_failure_of_the_workflow() -> None:
    answer = FunctionsRunner(Refusing(PylonError("SOLD_OUT", "none left", status=400))).make_pass(INSTANCE, 1.0)

    assert answer == {"action": "fail", "error": "SOLD_OUT: none left"}


def test_a_server_that_cannot_start_closes_its_outside_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[HttpRunner] = []
    close = HttpRunner.close

    def noted(runner: HttpRunner) -> None:
        closed.append(runner)
        close(runner)

    monkeypatch.setattr(HttpRunner, "close", noted)
    folder = AppFolder(write_app(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {
            "PYLON_DEV_MODE": "1",
            "PYLON_HOST": "127.0.0.1",
            "PYLON_PORT": str(taken.getsockname()[1]),
            "PYLON_WORKFLOW_RUNNER_URL": "http://127.0.0.1:9/run",
        }
        config = ServerConfig.from_env(environ)
        with pytest.raises(PylonError) as refused:
            build(config, folder, load_manifest(folder, config), environ, SystemClock())

    assert refused.value.code == "PORT_IN_USE"
    assert len(closed) == 1
