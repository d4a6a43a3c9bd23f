"""Rows, and which of them: what is asked of a store and what it answers with. Pure."""

from typing import Any

import msgspec

from pylon_http.where import EVERYTHING, Where

Row = dict[str, Any]
"""An entity row: ``id`` and every declared field, values in their declared JSON types."""


ANSWER_CHARS_MAX = 32 * 1024 * 1024
"""The most text that the rows of one answer hold together: a row may have megabytes, a list a thousand rows."""


class Condition(msgspec.Struct, frozen=True):
    """A row condition as SQL: columns double-quoted, parameters as ``?``, portable between the engines.

    True means the row is in; false and NULL both mean it is out.
    """

    sql: str
    params: tuple[Any, ...] = ()


class Filter(msgspec.Struct, frozen=True):
    """Which rows, in which order: the caller's filter and, ANDed, the condition its read policy compiled to.

    ``after`` is exclusive and means "by ``id`` ascending, from there on". ``limit`` ``None`` means every row;
    ``limit_per`` is a field and how many rows there may be of each value of it. A ``where`` with a search orders
    by relevance, best first, unless ``order`` says otherwise.
    """

    where: Where = EVERYTHING
    condition: Condition | None = None
    order: tuple[tuple[str, bool], ...] = ()
    """Pairs of field and whether it descends (null is least); ``id`` ascending breaks ties."""
    limit: int | None = None
    limit_per: tuple[str, int] | None = None
    offset: int = 0
    after: str | None = None
    chars_max: int | None = None
    """How much text the rows may hold together; more is refused with PAYLOAD_TOO_LARGE."""
