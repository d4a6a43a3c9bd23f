"""Notices that an app's manifest or functions changed on disk (``pylon dev``).

Two named threads, both ended by ``stop``: one looks at the app's folder itself, one at everything below the
functions folder, which may come, go and come again. What the kernel tells only makes them look; what changed
is found by comparing with what was there before, so nothing is missed while a watch is being set up.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from watchfiles import watch

from pylon_runtime.threads import spawn

JOIN_SECONDS = 5.0
_DEBOUNCE_MS = 200
_STEP_MS = 50
_LOOK_MS = 1_000
"""Look at least so often, whatever the kernel tells: not every file system tells."""

_UNWATCHED_LOOK_S = 0.25

State = frozenset[tuple[str, int, int, int]]
"""Files by path, with inode, time of change and size."""


class Watcher:
    """Remembers the files as they are when it is made, so make it before reading them.

    The callbacks run on its threads and must be quick.
    """

    def __init__(
        self,
        manifest: Path,
        functions: Path,
        manifest_changed: Callable[[], None],
        functions_changed: Callable[[], None],
    ) -> None:
        self._manifest = manifest
        self._functions = functions
        self._manifest_changed = manifest_changed
        self._functions_changed = functions_changed
        self._manifest_seen = _state_of_file(manifest)
        self._functions_seen = _state_of_tree(functions)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._threads = [
            spawn("watch-manifest", self._follow_manifest),
            spawn("watch-functions", self._follow_functions),
        ]

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _follow_manifest(self) -> None:
        for _ in self._looks(self._manifest.parent, recursive=False):
            seen, self._manifest_seen = self._manifest_seen, _state_of_file(self._manifest)
            if self._manifest_seen != seen:
                self._manifest_changed()

    def _follow_functions(self) -> None:
        for _ in self._looks(self._functions, recursive=True):
            try:
                found = _state_of_tree(self._functions)
            except OSError:  # out of descriptors, perhaps: no reason to think that the files went
                continue
            seen, self._functions_seen = self._functions_seen, found
            if found != seen:
                self._functions_changed()

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
        folders[:] = [name for name in folders if name != "node_modules"]
        for name in names:
            files |= _state_of_file(Path(directory, name))
    return frozenset(files)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
