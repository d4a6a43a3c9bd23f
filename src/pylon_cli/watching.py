"""Notices that an app's manifest or functions changed on disk (``pylon dev``).

Two named threads, both ended by ``stop``: one looks at the app's folder itself, one at everything below the
functions folder, which may appear later. They do nothing but put a word into the queue.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

from watchfiles import Change, watch

from pylon_cli.serving import Wake
from pylon_runtime.threads import spawn

JOIN_SECONDS = 5.0
_DEBOUNCE_MS = 200
_STEP_MS = 50


class Watcher:
    def __init__(self, manifest: Path, functions: Path, wakes: "SimpleQueue[Wake]") -> None:
        self._manifest = manifest
        self._functions = functions
        self._wakes = wakes
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._threads.append(spawn("watch-app", self._watch_app))
        if self._functions.is_dir():
            self._watch_functions_too()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _watch_app(self) -> None:
        for changes in self._watch(self._manifest.parent, recursive=False):
            paths = {Path(path) for _, path in changes}
            if self._manifest in paths:
                self._wakes.put(Wake.MANIFEST_CHANGED)
            if self._functions in paths and len(self._threads) == 1 and self._functions.is_dir():
                self._watch_functions_too()
                self._wakes.put(Wake.FUNCTIONS_CHANGED)

    def _watch_functions_too(self) -> None:
        self._threads.append(spawn("watch-functions", self._watch_functions))

    def _watch_functions(self) -> None:
        for _ in self._watch(self._functions, recursive=True):
            self._wakes.put(Wake.FUNCTIONS_CHANGED)

    def _watch(self, path: Path, *, recursive: bool) -> Iterator[set[tuple[Change, str]]]:
        return watch(
            path,
            recursive=recursive,
            stop_event=self._stop,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=1_000,
            yield_on_timeout=False,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
