"""Aggregates in SQL (contract 12 §10)."""

from pylon_http import Aggregation, Row
from pylon_storage.catalog import EntityTable
from pylon_storage.statements import Statements


def aggregate(statements: Statements, table: EntityTable, wanted: Aggregation) -> list[Row]:
    raise NotImplementedError
