"""What the numbers were measured on."""

import os
import platform
import time
from pathlib import Path

LOAD_MAX = 0.5


def describe(folder: Path) -> dict[str, object]:
    """CPU, kernel, memory, Python, and how many fdatasync a second the disk under ``folder`` does."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "fdatasync_per_s": round(syncs_per_second(folder)),
        "load": round(os.getloadavg()[0], 2),
    }


def syncs_per_second(folder: Path) -> float:
    path = folder / "sync-probe"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    rounds = 500
    begun = time.perf_counter()
    for _ in range(rounds):
        os.write(handle, b"x" * 4096)
        os.fdatasync(handle)
    elapsed = time.perf_counter() - begun
    os.close(handle)
    path.unlink()
    return rounds / elapsed
