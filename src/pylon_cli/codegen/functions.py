"""The functions of a folder: asked of the processes that would run them, which are started for that and ended.

Blocks while the files are loaded. What they print meanwhile goes to ``on_output``, on another thread.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pylon_cli.codegen.model import FunctionFiles
from pylon_core.clock import Clock
from pylon_core.diagnostics import Diagnostic, Severity
from pylon_functions.registry import FunctionDefinition, Registry
from pylon_runtime.function_languages import LANGUAGES
from pylon_runtime.function_launch import FunctionOptions, Launcher, NothingToRun, StartFailed
from pylon_runtime.function_starts import HANDSHAKE_S


def announced(
    folder: Path, environ: Mapping[str, str], clock: Clock, on_output: Callable[[str], None]
) -> Sequence[FunctionDefinition]:
    """Raises ``StartFailed`` when it cannot be said of every language which functions there are."""
    options = FunctionOptions(Path(folder.name), folder.parent, environ)
    known: dict[str, FunctionDefinition] = {}
    for language in reversed(LANGUAGES):  # of two with one name the one in the first language counts
        known |= _ask(Launcher(language, options, clock, on_output))
    return tuple(known.values())


def not_known(failure: StartFailed) -> Diagnostic:
    """That a client was written without the functions, and why."""
    reason = str(failure).removesuffix(".")
    message = f"The client does not know the functions: {reason}."
    return Diagnostic(Severity.WARNING, "CODEGEN_CLIENT_NO_FUNCTIONS", message)


def _ask(launcher: Launcher) -> Registry:
    try:
        child = launcher.launch(on_ended=_nobody_waits)
    except NothingToRun:
        return {}
    try:
        problem = child.runner.wait_until_ready(HANDSHAKE_S)
        if problem is not None:
            raise StartFailed(problem)
        return child.runner.registry
    finally:
        child.kill()
        for thread in child.threads:
            thread.join()


def _nobody_waits() -> None:
    """A process is asked for its first frame and no more."""


def function_files(definitions: Iterable[FunctionDefinition], folder: Path, out: Path | None) -> FunctionFiles:
    """``out`` is the TypeScript file that imports the functions' types, if one is to be."""
    functions = tuple(definitions)
    if out is None:
        return FunctionFiles(functions)
    way = Path(os.path.relpath(folder.resolve(), out.resolve().parent)).as_posix()
    start = way if way.startswith(".") else f"./{way}"
    modules = {
        function.name: f"{start}/{function.name}"
        for function in functions
        if (folder / f"{function.name}.ts").is_file()
    }
    return FunctionFiles(functions, modules)
