"""One call of a function, as its caller wants it made. Immutable."""

import enum
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pylon_auth.context import AuthContext
from pylon_functions.registry import FunctionKind
from pylon_http.jobs import JobClaim

Listener = Callable[[str, str | None], None]
"""Gets each text that the function streams, with the name of its event, one after the other. What it raises ends
the call: ``CallerGone``, or anything that is no ``PylonError``. While it waits so does its call, and behind a
mutation everybody who wants to write: then it must be quick."""


class WebhookRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The HTTP request that a webhook was called by: headers by lower-case name, the body as it was sent.

    A body that is not UTF-8 is in ``raw_body_base64``, and ``raw_body`` is empty.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: str
    raw_body_base64: str | None = None

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> "WebhookRequest":
        try:
            return cls(method, path, headers, body.decode())
        except UnicodeDecodeError:
            return cls(method, path, headers, "", b64encode(body).decode())


class Origin(enum.Enum):
    """Who wants a function called, which decides which there are."""

    OUTSIDE = enum.auto()
    """Whoever can reach the server, the administrator included. Internal functions are not there for them."""
    SERVER = enum.auto()
    """The app itself: another of its functions, a job, a schedule, the engine of workflows."""


class OnceScope(msgspec.Struct, frozen=True):
    """Makes what a call does in the database happen once, however often the call is repeated.

    A mutation is remembered in its own transaction under ``scope`` and ``prefix``, with what it returned; when it
    is called again, that is the answer. When an action runs the mutation ``f`` for the n-th time, that is
    remembered under ``prefix:f:n``; when it schedules ``f`` for the n-th time, under ``prefix:job:f:n``.
    """

    scope: str
    prefix: str


class Invocation(msgspec.Struct, frozen=True):
    """``args`` is any JSON value, or a ``msgspec.Raw`` of valid JSON."""

    name: str
    args: Any
    auth: AuthContext
    kind: FunctionKind | None = None
    """What the function must be, or FN_TYPE_MISMATCH; ``None``: anything but a workflow."""
    origin: Origin = Origin.OUTSIDE
    request: WebhookRequest | None = None
    listener: Listener | None = None
    is_gone: Callable[[], bool] | None = None
    """Whether nobody wants the answer any more; asked now and then while the call waits, must not wait itself."""
    timeout_s: float | None = None
    """For all of the call, nested ones included; ``None``: as the server is configured."""
    claim: JobClaim | None = None
    """The attempt at a job that this call is. A mutation completes the job in its own transaction, or fails with
    ``JobLost`` when the claim no longer holds; of any other kind the caller completes it."""
    once: OnceScope | None = None
