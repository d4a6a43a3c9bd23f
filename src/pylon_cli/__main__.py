"""``python -m pylon_cli`` is the ``pylon`` command."""

import sys

from pylon_cli.main import main

sys.exit(main())
