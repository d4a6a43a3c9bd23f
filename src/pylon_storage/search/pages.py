"""One page of a search: hits, their total, facet counts."""

from pylon_http import Search, SearchPage
from pylon_storage.catalog import EntityTable
from pylon_storage.statements import Statements


def search_page(statements: Statements, table: EntityTable, wanted: Search) -> SearchPage:
    raise NotImplementedError
