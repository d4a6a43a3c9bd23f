"""Which files of functions changed since they last started: where to look when they do not.

Used by the one thread that follows an app's files.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pylon_cli.watching import State, Watched

NAMED_MAX = 3


class ChangedFiles:
    """Takes the files as they are when it is made for such as start."""

    def __init__(self, root: Path, watched: Sequence[Watched]) -> None:
        self._root = root
        self._watched = watched
        self._started = self._state()

    def started(self) -> None:
        self._started = self._state()

    def hint(self) -> str | None:
        """Which changed since, in words; ``None`` when none did."""
        paths = sorted({path for path, *_ in self._state() ^ self._started})
        if not paths:
            return None
        names = [str(_below(self._root, path)) for path in paths[:NAMED_MAX]]
        more = f" and {len(paths) - NAMED_MAX} more" if len(paths) > NAMED_MAX else ""
        return f"Changed since they last did: {', '.join(names)}{more}."

    def _state(self) -> State:
        state: State = frozenset()
        for each in self._watched:
            with suppress(OSError):  # it cannot be looked at just now; what follows is a hint and no more
                state |= each.state()
        return state


def _below(root: Path, path: str) -> Path:
    found = Path(path)
    return found.relative_to(root) if found.is_relative_to(root) else found
