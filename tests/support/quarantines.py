"""The process in which this one has documents merged."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def quarantine_pids() -> list[int]:
    """Of all stores that were opened here."""
    children = [
        int(pid) for tasks in Path("/proc/self/task").glob("*/children") for pid in tasks.read_text().split()
    ]
    return [pid for pid in children if b"quarantined.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextmanager
def wedged(pid: int) -> Iterator[None]:
    """It answers nothing, for as long as it lives."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
