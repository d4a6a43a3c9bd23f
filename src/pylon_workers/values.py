"""Values on their way through numbers that are doubles: what may cross as it is, and what crosses as text.

D1 takes and gives every number as a double, so an integer beyond 2^53 would arrive as its neighbour. On the way in
such an integer is bound as text, which a column of integers, and a comparison with one, makes an integer again. On
the way out ``suspects`` finds the columns that may have lost something, and ``exact_query`` asks for them as text,
tagged with what they were. Pure.
"""

import math
from collections.abc import Sequence, Set
from typing import Any

from pylon_workers.executor import Statement

SAFE_INTEGER_MAX = 2**53 - 1
_INFINITIES = {math.inf: "9e999", -math.inf: "-9e999"}
"""As SQLite reads them; JSON has no spelling for them."""


def bound(value: Any) -> Any:
    """A parameter that arrives as what it is, compared with or stored in a column of its kind."""
    if type(value) is int and abs(value) > SAFE_INTEGER_MAX:
        return str(value)
    if type(value) is float and math.isinf(value):
        return _INFINITIES[value]
    return value


def suspects(rows: Sequence[Sequence[Any]]) -> Set[int]:
    """The positions of numbers that may have been integers with more digits than a double has."""
    return {
        position
        for row in rows
        for position, value in enumerate(row)
        if isinstance(value, int | float) and abs(value) > SAFE_INTEGER_MAX
    }


def exact_query(query: Statement, width: int, positions: Set[int]) -> Statement:
    """The query with these columns as texts: ``i`` and the digits, ``t`` and the text; anything else as it was.

    Materialised, so that SQLite keeps the query's own order.
    """
    names = [f'"{position}"' for position in range(width)]
    selected = [_tagged(name) if position in positions else name for position, name in enumerate(names)]
    found = f'"found" ({", ".join(names)}) AS MATERIALIZED ({query.text})'
    return Statement(f'WITH {found} SELECT {", ".join(selected)} FROM "found"', query.params)


def untagged(row: Sequence[Any], positions: Set[int]) -> tuple[Any, ...]:
    """A row of an exact query with its values restored."""
    return tuple(_untagged(value) if position in positions else value for position, value in enumerate(row))


def _tagged(name: str) -> str:
    return f"CASE typeof({name}) WHEN 'integer' THEN 'i' || {name} WHEN 'text' THEN 't' || {name} ELSE {name} END"


def _untagged(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return int(value[1:]) if value[0] == "i" else value[1:]
