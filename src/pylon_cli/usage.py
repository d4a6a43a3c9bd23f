"""A call that makes no sense and has a code of its own; other such calls are ``USAGE``. All exit with 64."""

import click


class CallError(click.UsageError):
    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
