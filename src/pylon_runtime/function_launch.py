"""What starting a process with functions is, whatever language they are in. Any thread may call it."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pylon_core.clock import Clock
from pylon_runtime.function_child import FunctionChild
from pylon_runtime.function_environment import functions_environment


@dataclass(frozen=True)
class FunctionOptions:
    """``functions_dir`` is taken relative to ``cwd``; ``environ`` is the server's whole environment, ``visible``
    what functions may see of it (``functions_environment``)."""

    functions_dir: Path
    cwd: Path
    environ: Mapping[str, str] = field(repr=False)
    workers: int = 1
    visible: tuple[str, ...] | None = None

    @property
    def folder(self) -> Path:
        return self.cwd / self.functions_dir


class StartFailed(Exception):  # noqa: N818 - a fact the supervisor acts on
    """Why no process can be started, as a sentence for the operator; names no paths, clients may see it."""

    state = "does not start"


class NotConfigured(StartFailed):
    """There is no runtime, or no folder."""

    state = "is not configured"


class NothingToRun(NotConfigured):
    """The app has no functions in this language."""


Sources = frozenset[tuple[str, int, int]]
"""The files of a functions folder by name, time of change and size."""


@dataclass(frozen=True)
class Language:
    """What is special about running functions in one language.

    ``command`` runs all of a folder; it is given the folder relative to the working directory, since some
    published versions of the script for Bun take no absolute one. Raises ``NotConfigured`` when there is no
    program.
    """

    name: str
    """As people call it."""
    program: str
    suffixes: tuple[str, ...]
    command: Callable[[FunctionOptions, str], list[str]]


class Launcher:
    """Starts processes for the functions of one language, which see of the environment what they may."""

    def __init__(
        self, language: Language, options: FunctionOptions, clock: Clock, on_output: Callable[[str], None]
    ) -> None:
        self.language = language
        self._options = options
        self._clock = clock
        self._on_output = on_output

    def launch(self, on_ended: Callable[[], None]) -> FunctionChild:
        """Start a process; it is not ready yet. It may be killed when the calling thread ends.

        Raises ``StartFailed``, ``NothingToRun``.
        """
        options, language = self._options, self.language
        if not options.folder.is_dir():
            raise NotConfigured("the functions folder (PYLON_FUNCTIONS_DIR) does not exist")
        if not self.sources():
            raise NothingToRun(f"there are no {language.name} files in the functions folder")
        command = language.command(options, os.path.relpath(options.folder, options.cwd))
        env = functions_environment(options.environ, options.visible)
        try:
            return FunctionChild(
                [*dying_with_parent(), *command], env, options.cwd, self._clock, on_ended, self._on_output
            )
        except OSError as error:
            raise StartFailed(f"{language.program} could not be started: {error.strerror}") from error

    def sources(self) -> Sources:
        """The function files as they are now, to tell whether a process runs them or older ones."""
        try:
            with os.scandir(self._options.folder) as entries:
                return frozenset(
                    _signature(entry)
                    for entry in entries
                    if entry.is_file() and entry.name.endswith(self.language.suffixes)
                )
        except OSError:
            return frozenset()


def dying_with_parent() -> list[str]:
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
