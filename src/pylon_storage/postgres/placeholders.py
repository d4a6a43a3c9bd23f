"""``?`` marks as Postgres numbers them: ``$1``, ``$2``. Pure.

Marks inside identifiers, literals and comments are left as they are. Postgres' own operators with a question mark
cannot be written in the SQL that all engines share.
"""

import re
from functools import lru_cache
from itertools import count

TEXTS_MAX = 2_048

_QUOTED_OR_MARK = re.compile(
    r"""
    "(?:[^"]|"")*"          # an identifier
    | '(?:[^']|'')*'        # a literal
    | --[^\n]*              # comments
    | /\*.*?\*/
    | (?P<mark>\?)
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=TEXTS_MAX)
def numbered(text: str) -> bytes:
    """The statement as psycopg sends it without looking into it."""
    if "?" not in text:
        return text.encode()
    numbers = count(1)
    return _QUOTED_OR_MARK.sub(
        lambda found: found[0] if found["mark"] is None else f"${next(numbers)}", text
    ).encode()
