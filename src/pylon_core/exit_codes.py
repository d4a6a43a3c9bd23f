"""Exit codes of the command line (contract 02 §9)."""

import enum


class ExitCode(enum.IntEnum):
    OK = 0
    ERROR = 1
    USAGE = 64
    UNAVAILABLE = 69
