"""Running one file of tests against a server of its own, which nothing else talks to.

Main thread only. What the tests and the server were started as dies with it; when it is interrupted, both are
first asked to end.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

import pylon_functions
from pylon_cli.testing.files import CaseFile, Language
from pylon_core.errors import PylonError
from pylon_runtime.app_folder import AppFolder
from pylon_runtime.bun_locate import INSTALL_BUN, find_bun
from pylon_runtime.function_launch import dying_with_parent
from pylon_runtime.testing import InMemoryServer

URL_VARIABLE = "PYLON_TEST_URL"
TOKEN_VARIABLE = "PYLON_TEST_ADMIN_TOKEN"
_STDERR = 2
_HEED_S = 0.5
"""How long tests have to heed a Ctrl-C that the terminal sent them as well."""
_END_S = 10.0
_NOTHING_COLLECTED = 5
"""pytest's exit code for a file without tests, which is no failure of any."""
_HERE = Path(pylon_functions.__file__).resolve().parent
_PRELOADS = (
    _HERE / "typescript" / "testing" / "preload.ts",
    _HERE.parents[1] / "packages" / "functions" / "src" / "testing" / "preload.ts",
)
"""In the wheel, and in a checkout."""


class FileResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a file of tests went; ``error`` says why it could not be run."""

    file: str
    status: Literal["passed", "failed", "error"]
    exit_code: int | None = None
    error: str | None = None


class Runner:
    """``quiet`` keeps standard output for somebody else: the tests' goes to standard error."""

    def __init__(self, app: AppFolder, environ: Mapping[str, str], *, quiet: bool) -> None:
        self._app = app
        self._environ = environ
        self._stdout = _STDERR if quiet else None

    def run(self, file: CaseFile) -> tuple[FileResult, str]:
        """How it went, and what the server logged if it went wrong."""
        try:
            command = self._command(file)
            with InMemoryServer(self._app.entry or self._app.root) as server:
                exit_code = self._run(command, server)
                log = server.log_text()
        except PylonError as error:
            words = f"{error.message} {error.hint or ''}".strip()
            return FileResult(file.name, "error", error=words), ""
        if exit_code == 0 or (file.language is Language.PYTHON and exit_code == _NOTHING_COLLECTED):
            return FileResult(file.name, "passed"), ""
        return FileResult(file.name, "failed", exit_code), log

    def _run(self, command: list[str], server: InMemoryServer) -> int:
        environ = {
            **self._environ,
            "PYLON_IN_MEMORY": "1",
            "PYLON_DEV_MODE": "1",
            "PATH": os.pathsep.join((self._environ.get("PATH", os.defpath), sysconfig.get_path("scripts"))),
            URL_VARIABLE: server.url,
            TOKEN_VARIABLE: server.admin_token,
        }
        process = subprocess.Popen(command, cwd=self._app.root, env=environ, stdout=self._stdout)
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise

    def _command(self, file: CaseFile) -> list[str]:
        path = str(self._app.root / file.name)
        if file.language is Language.PYTHON:
            if find_spec("pytest") is None:
                install = f"Install it beside pylon: {sys.executable} -m pip install pytest"
                message = f"pytest is not installed; it runs {file.name}."
                raise PylonError("PYTEST_NOT_FOUND", message, hint=install)
            return [*dying_with_parent(), sys.executable, "-m", "pytest", path]
        bun = find_bun(self._environ)
        if bun is None:
            raise PylonError("BUN_EXEC_FAILED", f"Bun was not found; it runs {file.name}.", hint=INSTALL_BUN)
        preload = next((copy for copy in _PRELOADS if copy.is_file()), None)
        # No installing: a command that runs tests must not fetch code for a mistyped import.
        options = ["--no-install", *(("--preload", str(preload)) if preload else ())]
        return [*dying_with_parent(), str(bun), "test", *options, "--", path]


def _end(process: "subprocess.Popen[bytes]") -> None:
    for patience_s, insist in ((_HEED_S, process.terminate), (_END_S, process.kill)):
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            insist()
    process.wait()
