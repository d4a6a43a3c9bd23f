"""Everything the routes promise, promised on Postgres too: this folder's tests once more, there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_tests_of_the_routes_pass_on_postgres() -> None:
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", folder]
    env = {**os.environ, "PYLON_TEST_ENGINE": "postgres"}

    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout[-4000:]
