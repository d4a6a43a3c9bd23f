"""Notices that files of an app changed on disk (``pylon dev``).

One named thread for each group of files, all ended by ``stop``. It looks at a folder, which may come, go and come
again. What the kernel tells only makes it look; what changed is found by comparing with what was there before, so
nothing is missed while a watch is being set up.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from watchfiles import watch

from pylon_runtime.threads import spawn

JOIN_SECONDS = 5.0
_DEBOUNCE_MS = 200
_STEP_MS = 50
_LOOK_MS = 1_000
"""Look at least so often, whatever the kernel tells: not every file system tells."""

_UNWATCHED_LOOK_S = 0.25

_NOT_SOURCES = ("node_modules", "__pycache__")

State = frozenset[tuple[str, int, int, int]]
"""Files by path, with inode, time of change and size."""


@dataclass(frozen=True)
class Watched:
    """Files, and what to do when one of them came, changed or went.

    ``folder`` is where the kernel is asked to tell of changes; files elsewhere are looked at now and then.
    ``state`` may raise ``OSError`` when it cannot look. Both functions run on the watcher's threads; ``changed``
    must be quick.
    """

    name: str
    folder: Path
    state: Callable[[], State]
    changed: Callable[[], None]
    is_tree: bool = False


def files(name: str, folder: Path, paths: Callable[[], Iterable[Path]], changed: Callable[[], None]) -> Watched:
    """Single files, most of them in ``folder``; which ones may differ from look to look."""
    return Watched(name, folder, lambda: frozenset().union(*map(_state_of_file, paths())), changed)


def tree(name: str, folder: Path, changed: Callable[[], None]) -> Watched:
    """Everything below a folder, save what is installed or made there."""
    return Watched(name, folder, partial(_state_of_tree, folder), changed, is_tree=True)


class Watcher:
    """Remembers the files as they are when it is made, so make it before reading them."""

    def __init__(self, *watched: Watched) -> None:
        self._seen = {each: each.state() for each in watched}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._threads = [spawn(f"watch-{each.name}", partial(self._follow, each)) for each in self._seen]

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _follow(self, watched: Watched) -> None:
        for _ in self._looks(watched.folder, recursive=watched.is_tree):
            try:
                found = watched.state()
            except OSError:  # out of descriptors, perhaps: no reason to think that the files went
                continue
            seen, self._seen[watched] = self._seen[watched], found
            if found != seen:
                watched.changed()

    def _looks(self, folder: Path, *, recursive: bool) -> Iterator[None]:
        """When it is time to look, until the stop; the folder need not be there, or stay."""
        while not self._stop.is_set():
            yield
            identity = _identity(folder)
            if identity is not None:
                with suppress(OSError):  # it went a moment ago, or the kernel has no more watches: looking will do
                    for _ in self._events(folder, recursive=recursive):
                        yield
                        if _identity(folder) != identity:
                            break
            self._stop.wait(_UNWATCHED_LOOK_S)

    def _events(self, folder: Path, *, recursive: bool) -> Iterator[object]:
        return watch(
            folder,
            recursive=recursive,
            stop_event=self._stop,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which directory this is, to tell it from another of the same name; ``None`` when there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _state_of_file(path: Path) -> State:
    try:
        found = path.stat()
    except OSError:
        return frozenset()
    return frozenset({(str(path), found.st_ino, found.st_mtime_ns, found.st_size)})


def _state_of_tree(folder: Path) -> State:
    """Raises ``OSError`` when a folder that is there cannot be read."""
    files: set[tuple[str, int, int, int]] = set()
    for directory, folders, names in os.walk(folder, onerror=_raise_unless_gone):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES]
        for name in names:
            files |= _state_of_file(Path(directory, name))
    return frozenset(files)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
