"""What starting a process with functions is, whatever language they are in. Any thread may call it."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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


class NothingToRun(StartFailed):
    """The app has no functions in this language."""


Sources = frozenset[tuple[str, int, int]]
"""The files of a functions folder by name, time of change and size."""


class Launcher(Protocol):
    """Starts processes for the functions of one language. Any thread may call it."""

    @property
    def language(self) -> str:
        """As people call it."""

    def launch(self, on_ended: Callable[[], None]) -> FunctionChild:
        """Start a process; it is not ready yet. It may be killed when the calling thread ends.

        Raises ``StartFailed``, ``NothingToRun``.
        """

    def sources(self) -> Sources:
        """The function files as they are now, to tell whether a process runs them or older ones."""


def check_folder(options: FunctionOptions, language: str, suffixes: tuple[str, ...]) -> None:
    """Raises ``StartFailed`` when there is no folder of functions, ``NothingToRun`` when it has none of these."""
    if not options.folder.is_dir():
        raise StartFailed("the functions folder (PYLON_FUNCTIONS_DIR) does not exist")
    if not sources_of(options.folder, suffixes):
        raise NothingToRun(f"there are no {language} files in the functions folder")


def sources_of(folder: Path, suffixes: tuple[str, ...]) -> Sources:
    try:
        with os.scandir(folder) as entries:
            return frozenset(
                _signature(entry) for entry in entries if entry.is_file() and entry.name.endswith(suffixes)
            )
    except OSError:
        return frozenset()


def start_child(
    options: FunctionOptions,
    command: list[str],
    clock: Clock,
    on_ended: Callable[[], None],
    on_output: Callable[[str], None],
) -> FunctionChild:
    """Run a command as a process of functions, which sees of the environment what they may. Raises ``OSError``."""
    env = functions_environment(options.environ, options.visible)
    return FunctionChild([*dying_with_parent(), *command], env, options.cwd, clock, on_ended, on_output)


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
