"""What ``POST /api/search/<entity>`` and ``ctx.db.search`` ask for and get (contract 01 §14, 12 §11.2). Pure.

The syntax of ``text`` is ``docs/search.md``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pylon_http.documents import NUMBER_MAX, malformed, search_text, whole_number
from pylon_http.rows import Condition, Row
from pylon_http.where import Scalar

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100

_DIRECTIONS = {"asc": False, "desc": True}


class Search(msgspec.Struct, frozen=True):
    """``text`` in the search syntax, blank for every row; ``filters`` by facet field, ANDed; ``facets`` to count
    (``None``: all declared); ``sort`` a sortable field and whether it descends (``None``: by relevance, best
    first, or by id without a text). ``condition`` is what the caller's read policy compiled to."""

    text: str = ""
    filters: Mapping[str, Scalar | None] = {}
    facets: tuple[str, ...] | None = None
    sort: tuple[str, bool] | None = None
    page: int = 0
    page_size: int = PAGE_SIZE_DEFAULT
    condition: Condition | None = None


class SearchPage(msgspec.Struct, frozen=True):
    """``facet_counts`` by facet and value text; a facet's own filter does not narrow its counts."""

    hits: list[Row]
    total: int
    facet_counts: Mapping[str, Mapping[str, int]]

    def to_wire(self, hits: Sequence[Any], took_s: float) -> dict[str, Any]:
        """The answer clients read; ``hits`` are the rows as their reader may see them."""
        return {
            "hits": hits,
            "facetCounts": self.facet_counts,
            "total": self.total,
            "tookMs": round(took_s * 1000),
        }


def parse_search(document: object) -> Search:
    """The search a decoded JSON document means. Raises DataError INVALID_QUERY for a member of the wrong shape.

    A member that is null counts as absent, and so does one that is not known. An empty list of facets means all.
    """
    if not isinstance(document, dict):
        raise malformed("A search must be an object.")
    page = whole_number("page", document.get("page")) or 0
    page_size = _page_size(document)
    text = document.get("query")
    if page > NUMBER_MAX // page_size:
        raise malformed("page is too large.")
    return Search(
        text="" if text is None else search_text("query", text),
        filters=_filters(document.get("filters")),
        facets=_facets(document.get("facets")),
        sort=_sort(document.get("sort")),
        page=page,
        page_size=page_size,
    )


def _filters(filters: Any) -> Mapping[str, Scalar | None]:
    if filters is None:
        return {}
    if not isinstance(filters, dict):
        raise malformed("filters must be an object of facets and values.")
    for facet, value in filters.items():
        if isinstance(value, list | dict):
            raise malformed(f"The filter on {facet} takes one value: a string, a number or a boolean.")
    return filters


def _facets(facets: Any) -> tuple[str, ...] | None:
    if facets is None:
        return None
    if not isinstance(facets, list) or not all(isinstance(facet, str) for facet in facets):
        raise malformed("facets must be an array of field names.")
    return tuple(facets) or None


def _sort(sort: Any) -> tuple[str, bool] | None:
    match sort:
        case None:
            return None
        case [str(field), "asc" | "desc" as direction]:
            return field, _DIRECTIONS[direction]
        case _:
            raise malformed('sort must be a field and "asc" or "desc".')


def _page_size(document: Mapping[str, Any]) -> int:
    """The React hook says ``page_size``, everybody else ``pageSize``."""
    size = document.get("page_size")
    if size is None:
        size = document.get("pageSize")
    if size is None:
        return PAGE_SIZE_DEFAULT
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if isinstance(size, bool) or not isinstance(size, int):
        raise malformed("page_size must be a whole number.")
    return min(max(size, 1), PAGE_SIZE_MAX)
