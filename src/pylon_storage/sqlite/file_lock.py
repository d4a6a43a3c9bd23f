"""One process a database file: the lock that keeps a second server from writing to it.

SQLite itself would let both in, but each keeps the newest seq in memory, and would hand out the other's. The lock
is the kernel's and goes with the process, so a crash leaves nothing to clean up.
"""

import fcntl
import os
from pathlib import Path

from pylon_http import DataError


class FileLock:
    """Held from construction to ``release``. Raises DataError SCHEMA_INIT_FAILED when another process
    holds it or it cannot be made."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataError(
                "SCHEMA_INIT_FAILED",
                f"The lock file beside the database cannot be opened: {error.strerror}.",
                hint="The server must be able to write to the folder that the database is in.",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise DataError(
                "SCHEMA_INIT_FAILED",
                "Another server already serves this database.",
                hint="Stop it, or name another file in PYLON_DB_PATH.",
            ) from None

    def release(self) -> None:
        """Safe twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
