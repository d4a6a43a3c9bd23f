"""Starts processes of this Python for the functions in Python. Any thread may call it."""

import os
import sys
from collections.abc import Callable

from pylon_core.clock import Clock
from pylon_runtime.function_child import FunctionChild
from pylon_runtime.function_launch import (
    FunctionOptions,
    Launcher,
    Sources,
    StartFailed,
    check_folder,
    sources_of,
    start_child,
)

_SUFFIXES = (".py",)


class PythonLauncher:
    language = "Python"

    def __init__(self, options: FunctionOptions, clock: Clock, on_output: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._on_output = on_output

    def launch(self, on_ended: Callable[[], None]) -> FunctionChild:
        options = self._options
        check_folder(options, self.language, _SUFFIXES)
        folder = os.path.relpath(options.folder, options.cwd)
        # -P: no file of the app's may stand in for a module of the standard library's.
        command = [sys.executable, "-P", "-m", "pylon_functions.python", folder]
        try:
            return start_child(options, command, self._clock, on_ended, self._on_output)
        except OSError as error:
            raise StartFailed(f"Python could not be started: {error.strerror}") from error

    def sources(self) -> Sources:
        return sources_of(self._options.folder, _SUFFIXES)


_: type[Launcher] = PythonLauncher
