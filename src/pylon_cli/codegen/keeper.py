"""Keeps the client beside an entry file up to date while the app is developed.

The functions have to be loaded for it, which may take as long as their author likes: so it happens on a thread of
its own, one client after the other, and of several wanted meanwhile only the newest is made.
"""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_runtime.threads import join, spawn

STOP_S = 2.0


class ClientKeeper:
    """``write`` writes the client of a manifest, and ``report`` is told (on that thread) when it cannot."""

    def __init__(
        self, write: Callable[[AppManifest], None], report: Callable[[PylonError], None], clock: Clock
    ) -> None:
        self._write = write
        self._report = report
        self._clock = clock
        self._wanted: SimpleQueue[AppManifest | None] = SimpleQueue()
        self._thread = spawn("client-keeper", self._keep)

    def renew(self, manifest: AppManifest) -> None:
        """The manifest, or a function, is another than before. Any thread may call it."""
        self._wanted.put(manifest)

    def stop(self) -> None:
        """A client that is being made may still be finished, for a moment."""
        self._wanted.put(None)
        join([self._thread], self._clock.monotonic() + STOP_S, self._clock)

    def _keep(self) -> None:
        while (manifest := self._newest()) is not None:
            try:
                self._write(manifest)
            except PylonError as error:
                self._report(error)

    def _newest(self) -> AppManifest | None:
        """``None`` once it is to stop."""
        newest = self._wanted.get()
        with suppress(Empty):
            while newest is not None:
                newest = self._wanted.get_nowait()
        return newest
