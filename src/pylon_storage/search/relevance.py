"""How well a row matches, as a function of FTS5.

Not ``bm25``: that weighs a word by how many rows have it, so the order of rows that a caller may read would tell
of those that he may not. This one looks at nothing but the row. Pure; SQLite calls it on the thread that reads.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

RELEVANCE = "relevance"
"""Its name in SQL: the table, then a weight for each column; the smaller the better."""


def relevance(row: "apsw.FTS5ExtensionApi", /, *weights: Any) -> float:
    """Further occurrences in a column count less and less, those in long rows less than those in short ones."""
    score = 0.0
    for phrase in range(row.phrase_count):
        for column in row.phrase_columns(phrase):
            times = len(row.phrase_column_offsets(phrase, column))
            score += weights[column] * times / (times + 1)
    return -score / (1 + math.log1p(row.column_size()))
