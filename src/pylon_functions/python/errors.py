"""The errors that mean something to a function's caller."""

import re

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class FunctionError(Exception):
    """Its code and message reach the caller: what ``ctx.error`` makes, and what the server refuses with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_error_code(code: object) -> bool:
    """What the server passes on: upper-case letters, digits and underscores, at most 64. All else is no code."""
    return isinstance(code, str) and _CODE.fullmatch(code) is not None


class CallAbandonedError(FunctionError):
    """Nobody waits for this call any more, so nothing it does counts."""

    def __init__(self) -> None:
        super().__init__("NOT_AVAILABLE", "The server gave this call up; it may have begun it anew.")
