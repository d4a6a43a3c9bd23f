"""Running an app until it is told to stop: signals in, a graceful stop, an exit code out.

The main thread sits in ``wait``; signal handlers and the watcher only put a word into its queue.
"""

import enum
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

from pylon_core.clock import SystemClock
from pylon_runtime.app_folder import AppFolder, LoadedManifest
from pylon_runtime.application import Application, build
from pylon_runtime.config import PORT, ServerConfig


class Wake(enum.Enum):
    """Why the main thread wakes."""

    STOP = enum.auto()
    MANIFEST_CHANGED = enum.auto()
    FUNCTIONS_CHANGED = enum.auto()


Wakes = SimpleQueue[Wake]


@contextmanager
def stop_signals(wakes: "SimpleQueue[Wake]") -> Iterator[None]:
    """SIGTERM and SIGINT ask for a graceful stop; the second one ends the process at once."""

    def ask(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        wakes.put(Wake.STOP)

    previous = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def environment(port: int | None, **defaults: str) -> dict[str, str]:
    """The process's environment, with what a command sets when nobody else has."""
    environ = {**defaults, **os.environ}
    if port is not None:
        environ[PORT.name] = str(port)
    return environ


def build_app(
    config: ServerConfig, folder: AppFolder, loaded: LoadedManifest, environ: Mapping[str, str]
) -> Application:
    return build(config, folder, loaded, environ, SystemClock())


def app_folder(path: Path) -> AppFolder:
    """The folder a command was given; a manifest file stands for the folder it is in."""
    return AppFolder((path.parent if path.is_file() else path).resolve())
