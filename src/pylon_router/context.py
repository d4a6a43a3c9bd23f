"""What a request is answered from: the context of the program, the caller, the call.

``RouterContext`` is everything a handler may reach, put together by the composition root; ``Caller`` is what
the server found out about who sent the request; ``Call`` is the request after dispatch. All are immutable, so
any number of threads may answer calls from one context.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import msgspec

from pylon_auth import AuthContext, CookieConfig, SessionStore
from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest, EntityDef
from pylon_core.secret_fields import SecretFields, secret_fields
from pylon_functions.invocation import Invocation
from pylon_functions.registry import FunctionDefinition
from pylon_functions.traces import CallTrace
from pylon_http import Answer, DataStore, FileDraft, FileReader, Headers, StoredFile
from pylon_http.jobs import JobStore
from pylon_http.workflows import WorkflowDefinition, WorkflowInstance, WorkflowPage, WorkflowStatus
from pylon_policy import PolicyEngine
from pylon_router.openapi import openapi_document
from pylon_sync.projection import RowProjection


class FunctionHost(Protocol):
    """Runs the app's functions; any thread may call."""

    def definitions(self) -> Sequence[FunctionDefinition]:
        """Every function, by name, internal ones too."""

    def find(self, name: str) -> FunctionDefinition:
        """As somebody outside finds it, for whom internal ones are not there. Raises what ``run`` would before it
        looks at arguments, FN_NOT_FOUND among them."""

    def run(self, invocation: Invocation) -> msgspec.Raw:
        """What the handler returned, as JSON text. Raises ``PylonError``, FN_NOT_FOUND among them."""

    def traces(self, limit: int) -> Sequence[CallTrace]:
        """The calls that ended last, newest first."""


class Workflows(Protocol):
    """The durable workflows; any thread may call. What fails raises ``PylonError``, WORKFLOW_..._FAILED."""

    def definitions(self) -> Sequence[WorkflowDefinition]:
        """Every workflow there is now, by name."""

    def start(self, name: str, given: msgspec.Raw) -> str:
        """Begin an instance; its id."""

    def find(self, workflow_id: str) -> WorkflowInstance | None: ...

    def page(self, status: WorkflowStatus | None, after: str | None, limit: int) -> WorkflowPage:
        """Newest first."""

    def advance(self, workflow_id: str) -> WorkflowStatus:
        """Have an instance go on, and wait until it has."""

    def deliver(self, workflow_id: str, name: str, data: msgspec.Raw) -> None:
        """An event for an instance that waits for it now."""

    def send(self, workflow_id: str, name: str, data: msgspec.Raw) -> bool:
        """An event that is kept until it is waited for; false when nobody ever will."""

    def cancel(self, workflow_id: str) -> None: ...


class FileLibrary(Protocol):
    """The uploaded files; any thread may call. What fails raises ``PylonError``."""

    def begin(self, name: str, content_type: str, *, user_id: str, private: bool) -> FileDraft: ...

    def find(self, file_id: str) -> StoredFile | None: ...

    def open(self, file: StoredFile, start: int, end: int) -> FileReader:
        """The bytes from ``start`` up to before ``end``."""

    def page(self, user_id: str | None, after: str | None, limit: int) -> Sequence[StoredFile]:
        """The next files behind an id, oldest first; one owner's or all."""

    def delete(self, file_id: str) -> bool:
        """Whether there was one."""


class PersonalData(Protocol):
    """What some part of the program keeps about users, besides rows and sessions; any thread may call."""

    @property
    def name(self) -> str:
        """The member of an export that has it."""

    def export(self, user_id: str) -> Sequence[Any]:
        """What is kept about a user, as JSON values."""

    def erase(self, user_id: str) -> None:
        """Remove all of it; safe twice. Raises ``PylonError`` when something is left."""


class BackgroundJobs(Protocol):
    """What is done beside requests; any thread may call."""

    @property
    def store(self) -> JobStore: ...

    def handler_names(self) -> Sequence[str]:
        """What a job may be, by name."""

    def schedules(self) -> Sequence[Mapping[str, Any]]:
        """What is done by the clock, as JSON values."""

    def trigger(self, name: str) -> bool:
        """Do it now; false when there is none of that name."""


class CallLimiter(Protocol):
    """Counts calls per key; any thread may call."""

    def admit(self, key: str) -> int:
        """Count one call; 0 when it may go on, else the seconds until the next one may."""


@dataclass(frozen=True)
class RouterContext:
    """``functions`` is ``None`` without a function runtime, ``function_limiter`` where calls are not limited,
    ``files`` where none are stored, ``jobs`` where nothing is done in the background; ``files_url`` is what the
    ids of files follow in a URL.
    ``reset`` empties a database that does not outlive the process; ``None`` for any other."""

    manifest: AppManifest
    store: DataStore
    policies: PolicyEngine
    sessions: SessionStore
    cookie: CookieConfig
    clock: Clock
    functions: FunctionHost | None = None
    function_limiter: CallLimiter | None = None
    workflows: Workflows | None = None
    files: FileLibrary | None = None
    files_url: str = "/api/files"
    jobs: BackgroundJobs | None = None
    personal_data: Sequence[PersonalData] = ()
    reset: Callable[[], None] | None = None
    dev_mode: bool = False

    @cached_property
    def secrets(self) -> SecretFields:
        return secret_fields(self.manifest)

    @cached_property
    def project(self) -> RowProjection:
        return RowProjection(self.secrets)

    @cached_property
    def openapi(self) -> bytes:
        """The OpenAPI document of the app, as JSON."""
        return jsontext.encode(openapi_document(self.manifest))

    def entity(self, name: str) -> EntityDef:
        """Raises ENTITY_NOT_FOUND for a name that is not in the manifest."""
        entity = self.manifest.entity(name)
        if entity is None:
            raise PylonError("ENTITY_NOT_FOUND", f"There is no entity {name!r}.")
        return entity


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request. ``token`` is the credential it came with, ``address`` the client's IP address,
    ``is_gone`` tells whether the client has gone away, where anybody knows."""

    auth: AuthContext
    token: str | None = None
    has_origin: bool = False
    user_agent: str | None = None
    address: str | None = None
    headers: Headers = msgspec.field(default_factory=dict)
    is_gone: Callable[[], bool] | None = None


class Call(msgspec.Struct, frozen=True):
    """A request after dispatch: the path's placeholders in order, the raw query string, the body; method and
    target as they came."""

    caller: Caller
    args: tuple[str, ...]
    query: str
    body: bytes
    method: str
    target: str


Handler = Callable[[RouterContext, Call], Answer]


def require_admin(call: Call) -> None:
    if not call.caller.auth.is_admin:
        raise PylonError("FORBIDDEN", "This needs the admin token.")
