"""The TypeScript package: its own tests and types under Bun, as part of the one command that runs everything."""

import os
import subprocess
from pathlib import Path

import pytest

from pylon_runtime.bun_locate import find_bun

PACKAGE = Path(__file__).parents[2] / "packages" / "functions"


@pytest.mark.parametrize("command", [("test",), ("run", "typecheck")], ids=["suite", "types"])
def test_the_package_is_sound(command: tuple[str, ...]) -> None:
    arguments = [str(find_bun(os.environ)), *command]

    result = subprocess.run(arguments, cwd=PACKAGE, capture_output=True, text=True, timeout=90, check=False)

    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
