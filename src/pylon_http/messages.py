"""A request and a response as values, the same for the native server, a WSGI host and a test."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http.datastore import DataStore, TxStore

T = TypeVar("T")


class HttpMethod(enum.StrEnum):
    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"


Headers = Mapping[str, str]
"""Header values by lower-case name; repeated headers are joined with ``, `` (cookies with ``; ``)."""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. ``target`` is the raw request target (path and query, still percent-encoded)."""

    method: str
    target: str
    headers: Headers
    body: bytes
    peer: str


class Response(msgspec.Struct, frozen=True):
    """One HTTP response; ``headers`` are only what the answer itself adds, the server adds the rest."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> "Response":
        return cls(status, jsontext.encode(value), headers=headers)

    @classmethod
    def error(cls, error: PylonError) -> "Response":
        """The error envelope, with the top-level copies that Swift clients read (design §4, decision 2)."""
        inner: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.hint is not None:
            inner["hint"] = error.hint
        if error.details:
            inner.update(error.details)
        body = {"error": inner, "code": error.code, "message": error.message}
        return cls(error.status, jsontext.encode(body))


@dataclass(frozen=True)
class PendingResponse(Generic[T]):
    """An answer that depends on a transaction: the work to be done in it, and how its result is told.

    Whoever has a thread to spare calls ``wait``; a server with better things to do submits the work and renders
    the outcome when it comes.
    """

    store: DataStore
    work: Callable[[TxStore], T]
    render: Callable[[T], Response]

    def wait(self) -> Response:
        """The answer, once the transaction is durable. Raises what refuses the work."""
        return self.render(self.store.transact(self.work))


Answer = Response | PendingResponse[Any]
