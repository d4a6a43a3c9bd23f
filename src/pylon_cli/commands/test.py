"""``pylon test [FILTER]``: run an app's tests, each file against a server of its own (contract 07 §12, 16 §10)."""

import os
from pathlib import Path

import click

from pylon_cli.output import Output
from pylon_cli.serving import app_folder, stop_signals
from pylon_cli.testing.files import CaseFile, Language, find_test_files, find_test_folder
from pylon_cli.testing.running import FileResult, Runner
from pylon_core.exit_codes import ExitCode
from pylon_runtime.app_folder import AppFolder
from pylon_runtime.config import FUNCTIONS_DIR


@click.command()
@click.argument("part", metavar="[FILTER]", default="")
@click.option("--app", type=click.Path(path_type=Path), default=Path(), help="Folder of the app, if not this one.")
@click.pass_obj
def test(output: Output, part: str, app: Path) -> int:
    """Run the tests of the app in this folder: those files with FILTER in their path, or all.

    Each file has a server of its own with an empty database in memory; PYLON_TEST_URL is where it is. Exits with 0
    when every file passed, 5 when there is none, else 1.
    """
    folder = app_folder(app, missing="TEST_APP_NOT_FOUND")
    files = _runnable(
        output, folder, find_test_files(folder.root, find_test_folder(folder.root, os.environ), part)
    )
    runner = Runner(folder, os.environ, quiet=output.as_json)
    with stop_signals(_interrupt):
        results = [_run(output, runner, file) for file in files]
    passed = sum(result.status == "passed" for result in results)
    failed = len(results) - passed
    output.event({"total": len(results), "passed": passed, "failed": failed, "files": results})
    if not output.as_json:
        output.aside("\n".join(_summary(results)))
    if not results:
        return ExitCode.ERROR
    return ExitCode.ERROR if failed else ExitCode.OK


def _interrupt() -> None:
    """A signal: what is under way is stopped in order, as for Ctrl-C."""
    raise KeyboardInterrupt


def _runnable(output: Output, folder: AppFolder, files: list[CaseFile]) -> list[CaseFile]:
    """Without those in Python in an app that has no functions in Python: they may be of anything."""
    functions = folder.root / FUNCTIONS_DIR.read(os.environ)
    if any(functions.glob("*.py")):
        return files
    left = [file for file in files if file.language is not Language.PYTHON]
    if len(left) < len(files):
        output.aside(f"Left out: {len(files) - len(left)} files in Python, as no function is; `pytest` runs them.")
    return left


def _run(output: Output, runner: Runner, file: CaseFile) -> FileResult:
    if not output.as_json:
        output.aside(f"— {file.name}")
    result, log = runner.run(file)
    output.aside(f"The server said:\n{log}" if log else result.error or "")
    return result


def _summary(results: list[FileResult]) -> list[str]:
    if not results:
        return ["There are no such tests."]
    failed = [result.file for result in results if result.status != "passed"]
    lines = [f"failed: {file}" for file in failed]
    return [*lines, f"Test files: {len(results)}, passed: {len(results) - len(failed)}, failed: {len(failed)}."]
