"""What ``POST /api/search/<entity>`` and ``ctx.db.search`` ask for and get (contract 01 §14, 12 §11.2)."""

from collections.abc import Mapping

import msgspec

from pylon_http.datastore import Condition, Row
from pylon_http.where import Scalar


class Search(msgspec.Struct, frozen=True):
    """``text`` in the search syntax, blank for every row; ``filters`` by facet field, ANDed; ``facets`` to count
    (``None``: all declared); ``sort`` a sortable field and whether it descends (``None``: by relevance, best
    first, or by id without a text). ``condition`` is what the caller's read policy compiled to."""

    text: str = ""
    filters: Mapping[str, Scalar | None] = {}
    facets: tuple[str, ...] | None = None
    sort: tuple[str, bool] | None = None
    page: int = 0
    page_size: int = 20
    condition: Condition | None = None


class SearchPage(msgspec.Struct, frozen=True):
    """``facet_counts`` by facet and value text; a facet's own filter does not narrow its counts."""

    hits: list[Row]
    total: int
    facet_counts: Mapping[str, Mapping[str, int]]
