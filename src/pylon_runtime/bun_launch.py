"""Starts one Bun process the way server functions want it. Any thread may call it."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pylon_core.clock import Clock
from pylon_runtime.bun_child import BunChild
from pylon_runtime.bun_locate import INSTALL_BUN, find_bun, find_runtime_script, functions_environment


@dataclass(frozen=True)
class BunOptions:
    """``functions_dir`` is taken relative to ``cwd``; ``environ`` is the server's whole environment."""

    functions_dir: Path
    cwd: Path
    environ: Mapping[str, str] = field(repr=False)
    workers: int = 1


class StartFailed(Exception):  # noqa: N818 - a fact the supervisor acts on
    """Why no process can be started, as a sentence for the operator; names no paths, clients may see it."""


Sources = frozenset[tuple[str, int, int]]
"""The files of a functions folder by name, time of change and size."""


class BunLauncher:
    def __init__(self, options: BunOptions, clock: Clock, on_output: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._on_output = on_output

    def launch(self, on_ended: Callable[[], None]) -> BunChild:
        """Start a process; it is not ready yet. It may be killed when the calling thread ends.

        Raises ``StartFailed``.
        """
        options = self._options
        directory = options.cwd / options.functions_dir
        if not directory.is_dir():
            raise StartFailed("the functions folder (PYLON_FUNCTIONS_DIR) does not exist")
        bun = find_bun(options.environ)
        if bun is None:
            raise StartFailed(f"Bun was not found. {INSTALL_BUN}")
        script = find_runtime_script(options.cwd, options.environ)
        if script is None:
            raise StartFailed("its script runtime.ts was not found; PYLON_FUNCTIONS_RUNTIME can name it")
        # Relative, because some published versions of the script take no absolute folder. No installing, because
        # a server must not fetch code for a mistyped import.
        command = [
            *_dying_with_parent(),
            str(bun),
            "run",
            "--no-install",
            str(script),
            os.path.relpath(directory, options.cwd),
        ]
        try:
            return BunChild(
                command,
                functions_environment(options.environ),
                options.cwd,
                self._clock,
                on_ended,
                self._on_output,
            )
        except OSError as error:
            raise StartFailed(f"Bun could not be started: {error.strerror}") from error

    def sources(self) -> Sources:
        """The function files as they are now, to tell whether a process runs them or older ones."""
        try:
            with os.scandir(self._options.cwd / self._options.functions_dir) as entries:
                return frozenset(_signature(entry) for entry in entries if entry.is_file())
        except OSError:
            return frozenset()


def _dying_with_parent() -> list[str]:
    """What to write before a command so that the kernel kills it when the thread that started it ends.

    A child notices by itself that the server has gone, but not while a handler computes without end; after a
    ``kill -9`` that one would go on for ever. Only util-linux offers this; elsewhere the list is empty.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None or Path(setpriv).resolve().name != "setpriv":  # busybox has another one
        return []
    return [setpriv, "--pdeathsig", "KILL"]


def _signature(entry: "os.DirEntry[str]") -> tuple[str, int, int]:
    stat = entry.stat()
    return entry.name, stat.st_mtime_ns, stat.st_size
