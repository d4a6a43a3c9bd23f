"""The errors that mean something to a function's caller."""


class FunctionError(Exception):
    """Its code and message reach the caller: what ``ctx.error`` makes, and what the server refuses with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CallAbandonedError(FunctionError):
    """Nobody waits for this call any more, so nothing it does counts."""

    def __init__(self) -> None:
        super().__init__("NOT_AVAILABLE", "The server gave this call up; it may have begun it anew.")
