"""Starts Bun processes for the functions in TypeScript and JavaScript. Any thread may call it."""

import os
from collections.abc import Callable

from pylon_core.clock import Clock
from pylon_runtime.bun_locate import INSTALL_BUN, find_bun, find_runtime_script
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

_SUFFIXES = (".ts", ".js")


class BunLauncher:
    language = "TypeScript"

    def __init__(self, options: FunctionOptions, clock: Clock, on_output: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._on_output = on_output

    def launch(self, on_ended: Callable[[], None]) -> FunctionChild:
        options = self._options
        check_folder(options, self.language, _SUFFIXES)
        bun = find_bun(options.environ)
        if bun is None:
            raise StartFailed(f"Bun was not found. {INSTALL_BUN}")
        script = find_runtime_script(options.cwd, options.environ)
        if script is None:
            raise StartFailed("its script runtime.ts was not found; PYLON_FUNCTIONS_RUNTIME can name it")
        # Relative, because some published versions of the script take no absolute folder. No installing, because
        # a server must not fetch code for a mistyped import.
        folder = os.path.relpath(options.folder, options.cwd)
        command = [str(bun), "run", "--no-install", str(script), folder]
        try:
            return start_child(options, command, self._clock, on_ended, self._on_output)
        except OSError as error:
            raise StartFailed(f"Bun could not be started: {error.strerror}") from error

    def sources(self) -> Sources:
        return sources_of(self._options.folder, _SUFFIXES)


_: type[Launcher] = BunLauncher
