"""Owns the boundary between logic and platforms: requests, responses, ``DataError``, the ``DataStore`` protocol.

Never does I/O and never names a database or a server library.
"""

from pylon_http.aggregates import Aggregation
from pylon_http.changes import ChangeEvent, ChangeKind
from pylon_http.datastore import (
    Condition,
    DataError,
    DataStore,
    Filter,
    LogPage,
    Outcome,
    Reader,
    RerunRefused,
    Row,
    TxStore,
)
from pylon_http.messages import Answer, Headers, HttpMethod, PendingResponse, Request, Response
from pylon_http.search import Search, SearchPage

__all__ = [
    "Aggregation",
    "Answer",
    "ChangeEvent",
    "ChangeKind",
    "Condition",
    "DataError",
    "DataStore",
    "Filter",
    "Headers",
    "HttpMethod",
    "LogPage",
    "Outcome",
    "PendingResponse",
    "Reader",
    "Request",
    "RerunRefused",
    "Response",
    "Row",
    "Search",
    "SearchPage",
    "TxStore",
]
