"""Waiting for what is to come about, in place of sleeping for as long as it may take."""

import time
from collections.abc import Callable

PATIENCE_S = 20.0
"""Much longer than anything takes, also on a machine that is busy."""
_LOOK_S = 0.002


def until(holds: Callable[[], object], what: str = "it", *, seconds: float = PATIENCE_S) -> None:
    """Return once it holds; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(_LOOK_S)
