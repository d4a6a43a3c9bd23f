"""The ``pylon`` command on servers that notice each other's death within seconds, not in half a minute."""

import sys

from pylon_cli.main import main
from pylon_runtime.jobs import runner

if __name__ == "__main__":
    runner.BEAT_S = 0.2
    runner.SILENT_MS = 2_000
    sys.exit(main())
