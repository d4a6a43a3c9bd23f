"""Owns the boundary between logic and platforms: requests, responses, ``DataError``, the ``DataStore`` protocol.

Never does I/O and never names a database or a server library.
"""

from pylon_http.changes import ChangeEvent, ChangeKind
from pylon_http.datastore import (
    Condition,
    DataError,
    DataStore,
    Filter,
    LogPage,
    Outcome,
    Reader,
    Row,
    TxStore,
)
from pylon_http.messages import Answer, Headers, HttpMethod, PendingResponse, Request, Response

__all__ = [
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
    "Response",
    "Row",
    "TxStore",
]
