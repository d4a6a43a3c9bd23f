"""Owns the boundary between logic and platforms: requests, responses, ``DataError``, the ``DataStore`` protocol.

Never does I/O and never names a database or a server library.
"""

from pylon_http.aggregates import Aggregation
from pylon_http.changes import ChangeEvent, ChangeKind
from pylon_http.datastore import DataStore, LogPage, MergeRehearsal, Outcome, Reader, Trial, TxStore
from pylon_http.errors import DataError, JobLost, NeedsTransaction, RerunRefused
from pylon_http.files import FileDraft, FileReader, StoredFile
from pylon_http.messages import (
    Answer,
    BodyStream,
    Download,
    Headers,
    HttpMethod,
    Outlet,
    PendingResponse,
    PushedResponse,
    Request,
    Response,
    StreamedRequest,
    StreamedResponse,
    Upload,
)
from pylon_http.rows import Condition, Filter, Row
from pylon_http.search import Search, SearchPage

__all__ = [
    "Aggregation",
    "Answer",
    "BodyStream",
    "ChangeEvent",
    "ChangeKind",
    "Condition",
    "DataError",
    "DataStore",
    "Download",
    "FileDraft",
    "FileReader",
    "Filter",
    "Headers",
    "HttpMethod",
    "JobLost",
    "LogPage",
    "MergeRehearsal",
    "NeedsTransaction",
    "Outcome",
    "Outlet",
    "PendingResponse",
    "PushedResponse",
    "Reader",
    "Request",
    "RerunRefused",
    "Response",
    "Row",
    "Search",
    "SearchPage",
    "StoredFile",
    "StreamedRequest",
    "StreamedResponse",
    "Trial",
    "TxStore",
    "Upload",
]
