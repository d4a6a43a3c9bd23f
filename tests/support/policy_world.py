"""One app with every kind of access rule, some people, and what each of them may see: for the tests that go
through all routes.

Every row carries a mark in its text, every secret field a secret; both are looked for in the bytes of answers.
"""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Raw

from pylon_auth import ADMIN, ANONYMOUS, AuthContext, CookieConfig, SessionStore
from pylon_core import jsontext
from pylon_core.clock import Clock, SystemClock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_functions.invocation import Invocation, Origin
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_functions.traces import CallTrace, TracedOutcome
from pylon_http import (
    Answer,
    DataStore,
    Download,
    PendingResponse,
    PushedResponse,
    Response,
    StreamedResponse,
    Upload,
)
from pylon_http.jobs import NewJob
from pylon_http.workflows import WorkflowDefinition, WorkflowInstance
from pylon_policy import PolicyEngine
from pylon_router import Caller, RouterContext, dispatch
from pylon_runtime.jobs import Task
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_storage import EphemeralStore, SqlSessionBackend
from pylon_storage.files import FileLibrary, LocalStorage, SqlFileIndex
from pylon_storage.statements import Tables
from pylon_storage.workflows import SqlWorkflowStore
from tests.strategies.documents import Document, app, entity, field, relation
from tests.support.data_api import OWNED, SIGNED_IN, optional, rules, watched_fields
from tests.support.job_stores import EVERY_MINUTE, background_jobs

PEOPLE: dict[str, AuthContext] = {
    "anonymous": ANONYMOUS,
    "guest": AuthContext("guest_1", is_guest=True),
    "stranger": AuthContext("carl"),
    "owner": AuthContext("alice", tenant_id="acme"),
    "other tenant": AuthContext("zoe", tenant_id="zeta"),
    "admin": ADMIN,
}
"""The owner is Alice; nothing is the stranger's or the guest's."""

MARK = "MARK-"
SECRET = "SECRET-"
SECRET_FIELDS = ("passwordHash", "_flags", "phone", "_score", "_draft")
HIDDEN_NUMBER = 987654321
"""The value of a secret number, found as text as well."""

WORLD: Document = app(
    name="world",
    entities=[
        entity(
            "User",
            fields=[
                field("email", unique=True),
                optional("passwordHash"),
                optional("_flags"),
                optional("phone"),
                optional("_score", "int"),
            ],
            relations=[relation("notes", "Note", "ownerId", many=True)],
        ),
        entity(
            "Note",
            fields=[
                optional("ownerId", "id(User)"),
                field("title"),
                optional("body", "richtext"),
                optional("rank", "int"),
                optional("at", "datetime"),
                optional("done", "bool"),
                optional("slug", unique=True),
                optional("_draft"),
                optional("vaultId", "id(Vault)"),
            ],
            relations=[
                relation("owner", "User", "ownerId"),
                relation("comments", "Comment", "noteId", many=True),
                relation("vault", "Vault", "vaultId"),
            ],
            search={"text": ["title", "body"], "facets": ["done", "rank"], "sortable": ["rank", "at"]},
        ),
        entity(
            "Comment",
            fields=[
                optional("noteId", "id(Note)"),
                optional("ownerId"),
                field("text"),
                optional("public", "bool"),
            ],
            relations=[relation("note", "Note", "noteId")],
        ),
        entity("Doc", fields=[field("title"), optional("tenantId")]),
        entity("Report", fields=[field("title"), optional("orgId"), optional("size", "int")]),
        entity(
            "Post",
            fields=[field("title"), optional("ownerId"), optional("published", "bool")],
            search={"text": ["title"], "facets": ["published"], "sortable": ["published"]},
        ),
        entity("Vault", fields=[field("title"), optional("noteId")], search={"text": ["title"], "facets": []}),
        entity(
            "Drop",
            fields=[field("title"), optional("ownerId"), optional("noteId", "id(Note)")],
            relations=[relation("note", "Note", "noteId")],
        ),
    ],
    actions=[{"name": "publish", "input": [field("ownerId"), optional("title")]}],
    policies=[
        rules("User", allowRead=SIGNED_IN, allowWrite="auth.userId == data.id"),
        rules("Note", allow=OWNED),
        rules("Comment", allowRead=f"data.public == true || {OWNED}", allowWrite=OWNED),
        rules("Doc", allow="auth.tenantId == data.tenantId"),
        rules("Report", allowRead="auth.tenantId == data.orgId || data.orgId == 'open'", allowWrite="false"),
        rules("Post", allowRead=f"data.published == true || {OWNED}", allowWrite=OWNED),
        rules("Vault", allow="false"),
        rules("Drop", allowRead="false", allowWrite=OWNED),
        {"name": "publishing", "action": "publish", "allow": "input.ownerId == auth.userId"},
    ],
    auth={"user": {"entity": "User", "hide": ["phone"]}},
)

Rows = list[tuple[str, str, dict[str, Any]]]


def person(name: str) -> dict[str, Any]:
    return {
        "email": f"{MARK}email-{name}@example.com",
        "passwordHash": f"{SECRET}hash-{name}",
        "_flags": f"{SECRET}flags-{name}",
        "phone": f"{SECRET}phone-{name}",
        "_score": HIDDEN_NUMBER,
    }


def note(name: str, **members: Any) -> dict[str, Any]:
    return {
        "ownerId": name,
        "title": f"{MARK}note-{name}",
        "body": f"about {name}",
        "rank": 1,
        "at": "2026-05-02T12:00:00Z",
        "done": True,
        "slug": f"slug-{name}",
        "_draft": f"{SECRET}draft-{name}",
        **members,
    }


ROWS: Rows = [
    ("User", "alice", person("alice")),
    ("User", "bob", person("bob")),
    ("Vault", "v1", {"title": f"{MARK}vault", "noteId": "n-alice"}),
    ("Note", "n-alice", note("alice", vaultId="v1")),
    ("Note", "n-bob", note("bob", rank=2)),
    ("Note", "n-none", note("nobody", ownerId=None, rank=3)),
    ("Comment", "c-open", {"noteId": "n-alice", "ownerId": "bob", "text": f"{MARK}comment-open", "public": True}),
    ("Comment", "c-alice", {"noteId": "n-bob", "ownerId": "alice", "text": f"{MARK}comment-alice"}),
    ("Comment", "c-bob", {"noteId": "n-alice", "ownerId": "bob", "text": f"{MARK}comment-bob", "public": False}),
    ("Doc", "d-acme", {"title": f"{MARK}doc-acme", "tenantId": "acme"}),
    ("Doc", "d-zeta", {"title": f"{MARK}doc-zeta", "tenantId": "zeta"}),
    ("Doc", "d-none", {"title": f"{MARK}doc-none"}),
    ("Report", "r-acme", {"title": f"{MARK}report-acme", "orgId": "acme", "size": 1000}),
    ("Report", "r-zeta", {"title": f"{MARK}report-zeta", "orgId": "zeta", "size": 20000}),
    ("Report", "r-open", {"title": f"{MARK}report-open", "orgId": "open", "size": 300000}),
    ("Post", "p-live", {"title": f"{MARK}post-live", "ownerId": "bob", "published": True}),
    ("Post", "p-alice", {"title": f"{MARK}post-alice", "ownerId": "alice", "published": False}),
    ("Post", "p-bob", {"title": f"{MARK}post-bob", "ownerId": "bob", "published": False}),
    ("Drop", "x-alice", {"title": f"{MARK}drop-alice", "ownerId": "alice"}),
]


class OneFunction:
    """A function host with one function, which says who called it."""

    def definitions(self) -> list[FunctionDefinition]:
        return [FunctionDefinition(name=f"{MARK}function", fn_type=FunctionKind.QUERY)]

    def find(self, name: str, *, origin: Origin = Origin.OUTSIDE) -> FunctionDefinition:
        if name != "whoami":
            raise PylonError("FN_NOT_FOUND", "There is no such function.")
        return FunctionDefinition(name=name, fn_type=FunctionKind.QUERY)

    def run(self, invocation: Invocation) -> Any:
        self.find(invocation.name)
        return {"caller": invocation.auth.user_id}

    def traces(self, limit: int) -> list[CallTrace]:
        outcome = TracedOutcome("ok")
        return [CallTrace("c_0", f"{MARK}function", FunctionKind.QUERY, None, 0, 0.5, outcome, [], 0, 0, [])][
            :limit
        ]


class OneWorkflow:
    """A runner that has one workflow, and never runs it."""

    def definitions(self) -> list[WorkflowDefinition]:
        return [WorkflowDefinition(f"{MARK}workflow")]

    def find(self, name: str) -> WorkflowDefinition | None:
        return next((found for found in self.definitions() if found.name == name), None)

    def make_pass(self, instance: WorkflowInstance, timeout_s: float) -> Any:
        raise AssertionError("nothing runs here")


CANCELLED_WORKFLOW = "wf_00000000000000ff"


class PolicyWorld:
    """The app over a store of its own, reached through the router without a server."""

    def __init__(
        self,
        folder: Path,
        rows: Rows = ROWS,
        *,
        document: Document = WORLD,
        clock: Clock | None = None,
        open_store: Callable[[AppManifest, Mapping[str, frozenset[str]], Clock], Any] | None = None,
    ) -> None:
        clock = clock or SystemClock()
        manifest = parse_manifest(jsontext.encode(document))
        policies = PolicyEngine(manifest, default_allow=False)
        watched = watched_fields(manifest, policies)
        store = (
            EphemeralStore(manifest, watched=watched, clock=clock)
            if open_store is None
            else open_store(manifest, watched, clock)
        )
        tables: Tables = store.tables
        self.store: DataStore = store
        self.files = FileLibrary(LocalStorage(folder), SqlFileIndex(tables), clock, secrets.token_bytes)
        jobs = background_jobs(tables, OneFunction(), clock, (Task(f"{MARK}schedule", EVERY_MINUTE, "tick"),))
        jobs.store.enqueue(NewJob(name=f"{MARK}job", queue="marked"))
        workflows = WorkflowEngine(SqlWorkflowStore(tables, clock), (OneWorkflow(),), clock, secrets.token_bytes)
        workflows.begin(CANCELLED_WORKFLOW, f"{MARK}workflow", Raw(b"{}"))
        workflows.cancel(CANCELLED_WORKFLOW)
        self.ctx = RouterContext(
            manifest=manifest,
            store=self.store,
            policies=policies,
            sessions=SessionStore(SqlSessionBackend(tables), clock, secrets.token_bytes),
            cookie=CookieConfig("world_session"),
            clock=clock,
            functions=OneFunction(),
            files=self.files,
            jobs=jobs,
            workflows=workflows,
        )
        self.store.transact(lambda tx: [tx.insert(name, data, row_id) for name, row_id, data in rows])

    def upload(self, name: str, content: str, user_id: str, *, private: bool) -> str:
        """A file's id."""
        draft = self.files.begin(name, "text/plain", user_id=user_id, private=private)
        draft.write(content.encode())
        return draft.commit().id

    def send(self, method: str, url: str, auth: AuthContext, body: Any = None) -> Response:
        """A server's part is done here: uploads and downloads pass on their bytes."""
        sent = body if isinstance(body, bytes) else b"" if body is None else jsontext.encode(body)
        answer = dispatch(self.ctx, method, url, sent, Caller(auth, address="127.0.0.1"))
        try:
            return _finished(answer, sent)
        except PylonError as error:
            return Response.error(error)

    def close(self) -> None:
        self.store.close()


def _finished(answer: Answer, body: bytes) -> Response:
    match answer:
        case Response():
            return answer
        case PendingResponse():
            return answer.wait()
        case StreamedResponse() | PushedResponse():
            return answer.whole()
        case Upload(begin, render):
            draft = begin("upload.txt", "text/plain")
            draft.write(body)
            return render(draft.commit())
        case Download(file, opened):
            reader = opened(0, file.size)
            try:
                return Response(200, b"".join(iter(reader.read, b"")), file.content_type)
            finally:
                reader.close()
