"""Exit codes of the command line (contract 02 §9)."""

import enum


class ExitCode(enum.IntEnum):
    OK = 0
    ERROR = 1
    NO_TESTS = 5
    """``pylon test`` found nothing to run; pytest's code for it."""
    USAGE = 64
    UNAVAILABLE = 69
