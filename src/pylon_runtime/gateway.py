"""``Gateway``: what stands around ``route()`` for every HTTP request, whichever server received it.

In order: health, ``OPTIONS``, the check of the calling page's origin (CSRF), then either the identity and the
API, or the app's files; around all of it the translation of errors and the log (contract 01 §1). Any number of
threads may call ``handle`` at once; nothing here changes after construction. This is the hot path: a request
that goes well costs a few microseconds here and logs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from msgspec import structs

from pylon_auth import ANONYMOUS, CredentialResolver, RandomBytes, bearer_token, cookie_token
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_http import (
    Answer,
    Download,
    Outcome,
    PendingResponse,
    PushedResponse,
    Request,
    Response,
    StreamedResponse,
    Upload,
)
from pylon_router import WEBHOOK_PREFIX, Caller
from pylon_runtime.config import ServerConfig
from pylon_runtime.downloads import download
from pylon_runtime.health import Health
from pylon_runtime.made_bodies import made_while_sent
from pylon_runtime.origins import calling_origin
from pylon_runtime.proxies import client_ip
from pylon_runtime.pushed_bodies import PushedBodies
from pylon_runtime.request_ids import RequestIds
from pylon_runtime.request_log import RequestLog
from pylon_runtime.response_headers import common_headers
from pylon_runtime.static_files import StaticFiles
from pylon_runtime.uploads import Uploads

BODY_BYTES_MAX = 10 * 1024 * 1024
METHODS_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods whose bodies are ignored; a server need not hand them over."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_API = "/api/"
_INTERNAL = 500

C = TypeVar("C")


@dataclass(frozen=True)
class GatewayParts:
    """What the gateway works with, besides the router and its context."""

    config: ServerConfig
    credentials: CredentialResolver
    cookie_name: str
    files: StaticFiles
    uploads: Uploads
    pushed: PushedBodies
    clock: Clock
    random_bytes: RandomBytes
    health: Health


class DeferredAnswer:
    """An answer that begins with a write. Whoever holds it calls ``wait`` or ``start``, once."""

    __slots__ = ("_pending", "_settle")

    def __init__(
        self, pending: PendingResponse[Any], settle: Callable[[Callable[[], Response]], Response]
    ) -> None:
        self._pending = pending
        self._settle = settle

    def wait(self) -> Response:
        return self._settle(self._pending.wait)

    def start(self, deliver: Callable[[Callable[[], Response]], None]) -> None:
        """Have it written without waiting; ``deliver`` gets what makes the response, on the committing thread."""
        pending = self._pending

        def done(outcome: Outcome[Any]) -> None:
            deliver(lambda: self._settle(lambda: pending.render(outcome.get())))

        try:
            pending.store.submit(pending.work, done)
        except PylonError as refusal:
            done(Outcome(None, refusal))


class Gateway:
    def __init__(
        self, parts: GatewayParts, dispatch: Callable[[C, str, str, bytes, Caller], Answer], context: C
    ) -> None:
        self.common_headers = common_headers(parts.config.cors_origin)
        """What every answer carries besides its own headers; the server renders it once and adds it."""
        self._dispatch = partial(dispatch, context)
        self._credentials = parts.credentials
        self._cookie_name = parts.cookie_name
        self._files = parts.files
        self._uploads = parts.uploads
        self._pushed = parts.pushed
        self._health = parts.health
        self._origins = parts.config.origins
        self._dev_mode = parts.config.dev_mode
        self._proxy_hops = parts.config.trust_proxy_hops
        self._monotonic = parts.clock.monotonic
        self._log = RequestLog(parts.config.access_log, parts.clock)
        self._ids = RequestIds(parts.random_bytes)

    def handle(self, request: Request) -> Response:
        """The answer, to which the server adds ``common_headers``. Never raises.

        ``HEAD`` is answered like ``GET``: the server sends the headers, length included, and keeps the body.
        """
        answer = self.begin(request)
        return answer if isinstance(answer, Response) else answer.wait()

    def begin(self, request: Request) -> "Response | DeferredAnswer":
        """As ``handle``, but what the database must write first is left for the caller to start.

        An upload is read and stored before it returns.
        """
        started = self._monotonic()
        try:
            answer = self._answer(request)
        except Exception as error:  # noqa: BLE001 - the boundary: a fault of ours is one failed request, logged
            return self._failed(request, started, error)
        if isinstance(answer, Response):
            return self._logged(request, started, answer)
        settle = partial(self._settled, request, started)
        if isinstance(answer, PendingResponse):
            return DeferredAnswer(answer, settle)
        return settle(partial(self._transfer, answer, request))

    def _transfer(
        self, answer: Upload | Download | StreamedResponse | PushedResponse, request: Request
    ) -> Response:
        if isinstance(answer, Upload):
            return self._uploads.receive(answer, request)
        if isinstance(answer, StreamedResponse):
            return made_while_sent(answer)
        if isinstance(answer, PushedResponse):
            return self._pushed.answer(answer, request)
        return download(answer, request)

    def _settled(self, request: Request, started: float, render: Callable[[], Response]) -> Response:
        try:
            response = render()
        except Exception as error:  # noqa: BLE001 - the same boundary, later
            return self._failed(request, started, error)
        return self._logged(request, started, response)

    def _failed(self, request: Request, started: float, error: Exception) -> Response:
        if isinstance(error, PylonError):
            cause = error if error.status == _INTERNAL else None
            return self._logged(request, started, Response.error(error), cause)
        response = Response.error(PylonError("INTERNAL", "Something went wrong on the server."))
        return self._logged(request, started, response, error)

    def _logged(
        self, request: Request, started: float, response: Response, cause: Exception | None = None
    ) -> Response:
        elapsed_s = self._monotonic() - started
        if "x-request-id" in request.headers or self._log.wants(response.status, elapsed_s):
            return self._noted(request, response, elapsed_s, cause)
        return response

    def _answer(self, request: Request) -> Answer:
        method, target, headers = request.method, request.target, request.headers
        if target.startswith("/health") and (method == "GET" or method == "HEAD"):
            health = self._health.answer(target)
            if health is not None:
                return health
        if method == "OPTIONS":
            return Response(204, b"")
        if target.startswith(WEBHOOK_PREFIX):
            return self._answer_webhook(request)
        bearer = bearer_token(headers)
        if method not in _READING and not self._excuses(bearer):
            self._check_origin(request)
        if target.startswith(_API):
            body = b"" if method in METHODS_WITHOUT_BODY else bounded(request.body)
            token = cookie_token(headers, self._cookie_name) if bearer is None else bearer
            return self._dispatch(method, target, body, self._caller(request, token))
        if method not in _READING:
            raise PylonError("NOT_FOUND", "There is nothing at this address.", hint="The API is under /api/.")
        return self._files.answer(target, headers)

    def _answer_webhook(self, request: Request) -> Answer:
        """Cookies count for nothing here, so it does not matter which page sent it; nor does a credential that is
        not one of ours, as a third party may have agreed on its own with the app."""
        try:
            token = bearer_token(request.headers)
            caller = self._caller(request, token)
        except PylonError:
            caller = self._caller(request, None)
        body = b"" if request.method in METHODS_WITHOUT_BODY else bounded(request.body)
        return self._dispatch(request.method, request.target, body, caller)

    def _caller(self, request: Request, token: str | None) -> Caller:
        headers = request.headers
        return Caller(
            auth=self._credentials.identify(token),
            token=token,
            has_origin="origin" in headers,
            user_agent=headers.get("user-agent"),
            address=client_ip(request, self._proxy_hops),
            headers=headers,
            is_gone=request.is_gone,
        )

    def _excuses(self, bearer: str | None) -> bool:
        """Whether a bearer token makes the page behind a request irrelevant: browsers send none by themselves.

        In dev mode everybody who reaches the server may sign in as anybody, so there any page could send a token
        that is worth nothing and take what it likes.
        """
        if bearer is None or not self._dev_mode:
            return bearer is not None
        return self._credentials.identify(bearer) != ANONYMOUS

    def _check_origin(self, request: Request) -> None:
        if not self._origins.allows(calling_origin(request.headers), request.headers.get("host")):
            raise PylonError(
                "CSRF_REJECTED",
                "This page may not make changes here.",
                hint="Add its origin to PYLON_CSRF_ORIGINS, or send a bearer token instead of a cookie.",
            )

    def _noted(self, request: Request, response: Response, elapsed_s: float, cause: Exception | None) -> Response:
        """The response with its request id; logged when it is due."""
        request_id = self._ids.of(request.headers.get("x-request-id"))
        if self._log.wants(response.status, elapsed_s):
            self._log.write(
                request,
                status=response.status,
                elapsed_s=elapsed_s,
                request_id=request_id,
                ip=client_ip(request, self._proxy_hops),
                cause=cause,
            )
        return structs.replace(response, headers=(*response.headers, ("X-Request-Id", request_id)))


def bounded(body: bytes) -> bytes:
    """The body, unless it is too large: PAYLOAD_TOO_LARGE."""
    if len(body) > BODY_BYTES_MAX:
        raise too_large(BODY_BYTES_MAX)
    return body


def too_large(most: int) -> PylonError:
    return PylonError("PAYLOAD_TOO_LARGE", f"The request body is larger than {most} bytes.")
