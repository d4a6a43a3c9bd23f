"""A piece of SQL text with the values of its parameters."""

from typing import Any, NamedTuple


class Fragment(NamedTuple):
    text: str
    params: tuple[Any, ...] = ()
