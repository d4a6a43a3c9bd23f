"""What differs between the engines' SQL and values; everything else is written once.

A dialect is immutable and pure, so any thread may use it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pylon_core.manifest import FieldKind
from pylon_http.aggregates import Bucket


class Dialect(Protocol):
    @property
    def column_types(self) -> Mapping[FieldKind, str]:
        """The type a field's column is declared with."""

    @property
    def to_column(self) -> Mapping[FieldKind, Callable[[Any], Any]]:
        """How a checked JSON value becomes what the column takes, for kinds where they differ."""

    @property
    def from_column(self) -> Mapping[FieldKind, Callable[[Any], Any]]:
        """How a column's value becomes JSON, for kinds where they differ."""

    def number(self, value: float) -> Any:
        """A number as a parameter that compares exactly with a column of integers, however large."""

    def contains(self, column: str) -> str:
        """True where the text column has the parameter in it, letter for letter."""

    def member(self, column: str, kind: FieldKind, /) -> str:
        """True where the column equals one of the parameter, which ``members`` makes. One parameter however many
        members, so that the text stays the same and is prepared once."""

    def members(self, values: Sequence[Any], kind: FieldKind, /) -> Any: ...

    def sort_key(self, column: str, *, descending: bool, nullable: bool) -> str:
        """A part of ORDER BY: null is less than any value."""

    def index_key(self, column: str, *, nullable: bool) -> str:
        """A part of CREATE INDEX that serves ``sort_key`` in either direction."""

    def bucket(self, column: str, bucket: Bucket) -> str:
        """A datetime column cut off, as text (contract 12 §10)."""

    def window(self, limit: int | None, offset: int) -> str:
        """LIMIT and OFFSET, with a leading space, or empty."""
