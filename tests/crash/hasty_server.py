"""The ``pylon`` command, with a job runner that takes over jobs of silent servers within a second."""

import sys

from pylon_cli.main import main
from pylon_runtime.jobs import runner

if __name__ == "__main__":
    runner.BEAT_S = 0.1
    runner.SILENT_MS = 1_000
    sys.exit(main())
