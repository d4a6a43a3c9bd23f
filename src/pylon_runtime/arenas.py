"""How many heaps the C library keeps for the threads of this process.

By default glibc gives threads heaps of their own, eight for each core, and each keeps what its threads once
needed. A thread for each socket then multiplies what a large document or answer takes: 60 clients that open one of
1.8 MB leave behind 116 MB, with two heaps 20 MB. Threads take turns with the interpreter lock anyway, so sharing
costs nothing that could be measured.
"""

import ctypes
from contextlib import suppress

ARENAS = 2
"""The main thread's, and one for all others."""

_M_ARENA_MAX = -8


def share_arenas() -> None:
    """For the whole process, and threads that are started after this. Does nothing on other C libraries."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
