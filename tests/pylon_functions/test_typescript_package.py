"""The TypeScript package: its own tests under Bun, as part of the one command that runs everything."""

import os
import subprocess
from pathlib import Path

from pylon_runtime.bun_locate import find_bun

PACKAGE = Path(__file__).parents[2] / "packages" / "functions"


def test_the_packages_own_suite_passes() -> None:
    command = [str(find_bun(os.environ)), "test"]

    result = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=90, check=False)

    assert result.returncode == 0, result.stderr[-4000:]
