"""However many threads allocate, the process keeps few heaps."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from pylon_runtime.arenas import share_arenas

if sys.argv[1] == "shared":
    share_arenas()
everybody = threading.Barrier(8)
def allocate():
    kept = bytearray(100_000)
    everybody.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has arenas")
@pytest.mark.parametrize(("how", "few"), [("shared", True), ("apart", False)])
def test_threads_share_two_heaps(how: str, few: bool) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, timeout=30
    )

    assert (told.stdout.count("<heap nr=") <= 2) == few
