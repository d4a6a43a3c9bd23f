"""What the commands that serve an app share: the folder they were given, the environment, the stop signals."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TypeVar

import click

from pylon_core.errors import PylonError
from pylon_core.manifest import MANIFEST_FILE
from pylon_runtime.app_folder import AppFolder
from pylon_runtime.config import PORT
from pylon_runtime.entry_file import ENTRY_FILE, ENTRY_SUFFIXES

T = TypeVar("T")

THREAD_STACK_BYTES = 512 * 1024
"""Of each thread, most of which carry one WebSocket and wait; only what is touched takes memory."""

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter lock from another that wants it. Python's own 5 ms is what a request
would wait for each time the live updates are being sent."""

SIGNAL_LATENCY_S = 0.5

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM, SIGINT or SIGHUP calls ``stop``; the next, of any kind, ends the process at once.

    One that the process was started to ignore (``nohup``) stays ignored. ``stop`` runs between two steps of the
    main thread, so it may only do what is safe anywhere.
    """
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def ask(_number: int, _frame: FrameType | None) -> None:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)
        stop()

    previous = {number: signal.signal(number, ask) for number in heeded}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def await_next(queue: SimpleQueue[T]) -> T:
    """The next thing in the queue. Only for the main thread, which runs the signal handlers.

    The kernel may deliver a signal to any thread, and one that is waiting here would then not notice: so it looks
    up now and then.
    """
    while True:
        with suppress(Empty):
            return queue.get(timeout=SIGNAL_LATENCY_S)


def tune_process() -> None:
    """Settings that belong to the whole process, so only the command that owns it may make them."""
    threading.stack_size(THREAD_STACK_BYTES)
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def environment(port: int | None, **defaults: str) -> dict[str, str]:
    """The process's environment, with what a command sets when nobody else has."""
    environ = dict(os.environ)
    for name, value in defaults.items():
        if not environ.get(name, "").strip():
            environ[name] = value
    if port is not None:
        environ[PORT.name] = str(port)
    return environ


def app_folder(path: Path, missing: str) -> AppFolder:
    """The app a command was given: a folder, whose entry file builds the manifest if there is one; an entry file
    by any name; or a manifest, to be taken as it is.

    Raises ``PylonError`` with the code ``missing`` when there is nothing at the path.
    """
    if not path.exists():
        raise PylonError(missing, f"There is nothing at {path}.", hint="Name the folder of your app.")
    if path.is_dir():
        entry = path.resolve() / ENTRY_FILE
        return AppFolder(entry.parent, entry if entry.is_file() else None)
    if path.suffix in ENTRY_SUFFIXES:
        return AppFolder(path.parent.resolve(), path.parent.resolve() / path.name)
    if path.name != MANIFEST_FILE:
        expected = f"expected a folder, an entry file (such as {ENTRY_FILE}) or a {MANIFEST_FILE}."
        raise click.BadParameter(expected, param_hint="'APP'")
    return AppFolder(path.parent.resolve())
