"""What a D1 binding offers, as this package asks for it: three calls and one error.

A database answers one call after the other; a batch is atomic, and there is no other transaction. Values cross as
JSON does: null, texts, numbers that are doubles whatever their column, and bytes as arrays of numbers.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

PARAMS_MAX = 100
"""Parameters of one statement."""
TEXT_BYTES_MAX = 100_000
"""The length of one statement's text."""


class Statement(NamedTuple):
    text: str
    params: Sequence[Any] = ()


class D1Error(Exception):
    """D1 refused the call, or nobody knows whether it was done; it is not done later. The text is D1's own."""


class D1Executor(Protocol):
    """One D1 database. Any thread may call it; each call is a request that is waited for."""

    def query(self, text: str, params: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The result rows, each an array of values in the order of the select list. Raises ``D1Error``."""

    def execute(self, text: str, params: Sequence[Any]) -> int:
        """How many rows the statement changed. Raises ``D1Error``."""

    def batch(self, statements: Sequence[Statement]) -> None:
        """All of them in their order, or none. Raises ``D1Error``."""
