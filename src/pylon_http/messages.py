"""A request and a response as values, the same for the native server, a WSGI host and a test."""

import enum
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http.datastore import DataStore, TxStore
from pylon_http.files import FileDraft, FileReader, StoredFile

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
    """One HTTP request. ``target`` is the raw request target (path and query, still percent-encoded).

    ``is_gone`` tells, without waiting, whether the client has gone away; ``None`` where nobody can know.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    peer: str
    is_gone: Callable[[], bool] | None = None


class BodyStream(Protocol):
    """A body that arrives while it is read, by one thread."""

    def read(self) -> bytes:
        """The next bytes of it, which may have to be waited for; empty at the end. Raises ``PylonError`` for a
        body that does not arrive whole."""


class StreamedRequest(Request, frozen=True, kw_only=True):
    """A request whose body is not kept: ``body`` is empty, ``stream`` has it."""

    stream: BodyStream


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
        return cls(error.status, jsontext.encode(body), headers=_retry_after(error))


def _retry_after(error: PylonError) -> tuple[tuple[str, str], ...]:
    """When to come again, for an error that says so and for what is expected back at any moment."""
    wait_s = (error.details or {}).get("retry_after_secs", 1 if error.code == "NOT_AVAILABLE" else None)
    return () if wait_s is None else (("Retry-After", str(wait_s)),)


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


@dataclass(frozen=True)
class StreamedResponse:
    """An answer in JSON whose body is made while it is sent, in pieces none of which is empty.

    Whoever sends it asks for one after the other, and closes them also when it stops before the end. What they
    raise before the first is the answer; later the body breaks off, and must not look complete.
    """

    pieces: Callable[[], Generator[bytes, None, None]]

    def whole(self) -> Response:
        """The answer in memory. Raises what the pieces raise."""
        return Response(200, b"".join(self.pieces()))


class Outlet(Protocol):
    """Where a body goes while it is made; any thread may call."""

    def write(self, piece: bytes) -> bool:
        """Send it as soon as the client takes it. Waits where too much is unsent; false: it was dropped, since the
        client has had whoever makes the body wait for too long in all."""

    def is_gone(self) -> bool:
        """Whether nobody takes any more."""


@dataclass(frozen=True)
class PushedResponse:
    """An answer that begins at once, and whose body comes when there is something to say.

    ``make`` writes it into an outlet, for as long as it takes, and returns the last piece. What it raises breaks
    the body off, which must not look complete then.
    """

    content_type: str
    make: Callable[[Outlet], bytes]

    def whole(self) -> Response:
        """The answer in memory. Raises what ``make`` raises."""
        body = _Memory()
        last = self.make(body)
        return Response(200, b"".join([*body.pieces, last]), self.content_type)


class _Memory:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> bool:
        self.pieces.append(piece)
        return True

    def is_gone(self) -> bool:
        return False


@dataclass(frozen=True)
class Upload:
    """The answer is made by storing the request's body: ``begin`` takes its name and content type, ``render``
    what became of it. Only a server can do it: the bytes never lie in memory as a whole."""

    begin: Callable[[str, str], FileDraft]
    render: Callable[[StoredFile], Response]


@dataclass(frozen=True)
class Download:
    """The answer is ``file``, or a part of it: ``open`` takes where the part begins and where it ends."""

    file: StoredFile
    open: Callable[[int, int], FileReader]


Answer = Response | PendingResponse[Any] | StreamedResponse | PushedResponse | Upload | Download
