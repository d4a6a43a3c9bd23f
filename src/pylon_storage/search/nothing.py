"""The text index of an entity that has no searchable text."""

from pylon_http import DataError, Row
from pylon_storage.fragment import Fragment
from pylon_storage.statements import Statements


class NoTextIndex:
    def __init__(self, entity: str) -> None:
        self._entity = entity

    def add(self, statements: Statements, row: Row) -> None:
        """There is nothing to keep."""

    def replace(self, statements: Statements, row: Row, changed: Row) -> None:
        """There is nothing to keep."""

    def remove(self, statements: Statements, row_id: str) -> None:
        """There is nothing to keep."""

    def matching(self, _search: str, /) -> Fragment:
        raise self._not_configured()

    def relevance(self, _search: str, /) -> Fragment:
        raise self._not_configured()

    def _not_configured(self) -> DataError:
        return DataError(
            "SEARCH_NOT_CONFIGURED",
            f"{self._entity} has no searchable text.",
            hint='Give the entity a "search" member that lists its text fields.',
        )
