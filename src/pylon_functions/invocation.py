"""One call of a function, as its caller wants it made. Immutable."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pylon_auth.context import AuthContext
from pylon_http.jobs import JobClaim

Listener = Callable[[str, str | None], None]
"""Gets each text that the function streams, with the name of its event. Called on the thread of the call; may
wait, and may raise to end the call."""


class WebhookRequest(msgspec.Struct, frozen=True):
    """The HTTP request that a webhook was called by: headers by lower-case name, the body as it was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: str


@dataclass(frozen=True, slots=True)
class OnceScope:
    """Makes what a call does in the database happen once, however often the call is repeated.

    The n-th nested mutation of a call is remembered in its own transaction under ``scope`` and ``prefix:n``, with
    what it returned; when the call is repeated, that is the answer. Jobs that the call schedules likewise.
    """

    scope: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """``args`` is any JSON value, or a ``msgspec.Raw`` of valid JSON."""

    name: str
    args: Any
    auth: AuthContext
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
