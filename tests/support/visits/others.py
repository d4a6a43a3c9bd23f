"""Visits to the routes beside rows: those for the administrator, files, descriptions, sessions."""

from collections.abc import Callable, Iterator

from tests.support.policy_world import CANCELLED_WORKFLOW, MARK
from tests.support.visits.visit import (
    ABSENT,
    BAD,
    CREATED,
    DENIED,
    EVERYTHING,
    NOT_ALLOWED,
    OK,
    PULLED,
    UNAUTHORIZED,
    Seen,
    Visit,
    everyone,
    get,
    post,
    seen,
    whole,
)


def _jobs_for_the_admin(admin: Callable[[Seen], dict[str, Seen]]) -> Iterator[Visit]:
    yield post("/api/jobs", "/api/jobs", {"name": "x"}, admin(CREATED))
    yield get("/api/jobs", "/api/jobs?queue=marked", admin(seen("job")))
    yield get("/api/jobs/stats", "/api/jobs/stats", admin(seen("function")))
    yield get("/api/jobs/dead", "/api/jobs/dead", admin(OK))
    yield get("/api/jobs/<id>", "/api/jobs/job_1", admin(seen("job")))
    yield get("/api/jobs/<id>", "/api/jobs/job_999", admin(ABSENT))
    yield post("/api/jobs/dead/<id>/retry", "/api/jobs/dead/job_1/retry", None, admin(ABSENT))
    yield post("/api/jobs/<id>/cancel", "/api/jobs/job_999/cancel", None, admin(ABSENT))
    yield get("/api/scheduler", "/api/scheduler", admin(seen("schedule")))
    trigger = "/api/scheduler/trigger/<name>"
    yield post(trigger, "/api/scheduler/trigger/nope", None, admin(ABSENT))
    yield get("/api/admin/ops/<table>", "/api/admin/ops/scheduler", admin(seen("schedule")))


def _workflows_for_the_admin(admin: Callable[[Seen], dict[str, Seen]]) -> Iterator[Visit]:
    one = f"/api/workflows/{CANCELLED_WORKFLOW}"
    yield get("/api/workflows", "/api/workflows", admin(seen("workflow")))
    yield get("/api/workflows/definitions", "/api/workflows/definitions", admin(seen("workflow")))
    yield get("/api/workflows/<id>", one, admin(seen("workflow")))
    yield get("/api/workflows/<id>", "/api/workflows/wf_1", admin(ABSENT))
    yield post("/api/workflows/start", "/api/workflows/start", {"name": f"{MARK}workflow"}, admin(CREATED))
    yield post("/api/workflows/start", "/api/workflows/start", {"name": "nope"}, admin(BAD))
    for verb, body, sees in (("advance", None, OK), ("event", {"event": "x"}, BAD), ("cancel", None, OK)):
        yield post(f"/api/workflows/<id>/{verb}", f"{one}/{verb}", body, admin(sees))
        yield post(f"/api/workflows/<id>/{verb}", f"/api/workflows/wf_1/{verb}", body, admin(BAD))
    yield get("/api/admin/ops/<table>", "/api/admin/ops/workflows", admin(seen("workflow")))


def for_the_admin() -> Iterator[Visit]:
    """Nobody else gets anything; not even that there is nothing."""

    def admin(sees: Seen) -> dict[str, Seen]:
        return everyone(DENIED, admin=sees)

    to_admin = frozenset({"admin"})
    yield get("/api/export", "/api/export", admin(EVERYTHING), secrets_to=to_admin)
    yield get("/api/export/<entity>", "/api/export/Note", admin(whole("Note")), secrets_to=to_admin)
    yield get("/api/export/<entity>", "/api/export/Nope", admin(ABSENT))
    yield post("/api/import", "/api/import", {"entities": {"Note": [{"title": "x"}]}}, admin(OK))
    insert = {"op": "insert", "entity": "Vault", "data": {"title": "x"}}
    yield post("/api/batch", "/api/batch", {"operations": [insert]}, admin(OK))
    yield post("/api/transact", "/api/transact", [insert], admin(OK))
    yield post(
        "/api/admin/users/<id>/export",
        "/api/admin/users/alice/export",
        None,
        admin(
            seen(
                "email-alice",
                "note-alice",
                "comment-alice",
                "post-alice",
                "drop-alice",
                "name-open",
                "name-private",
            )
        ),
    )
    yield Visit("DELETE", "/api/admin/users/<id>/purge", "/api/admin/users/alice/purge", admin(OK))
    for group, name in (("auth", "sessions"), ("auth", "accounts"), ("ops", "search_indexes")):
        pattern = f"/api/admin/{group}/<table>"
        yield get(pattern, f"/api/admin/{group}/{name}", admin(OK))
        yield Visit("PUT", pattern, f"/api/admin/{group}/{name}", everyone(NOT_ALLOWED), {})
        yield get(pattern, f"/api/admin/{group}/nope", admin(ABSENT))
    yield from _jobs_for_the_admin(admin)
    yield from _workflows_for_the_admin(admin)
    yield get("/api/fn", "/api/fn", admin(seen("function")))
    yield get("/api/fn/traces", "/api/fn/traces", admin(seen("function")))


def files() -> Iterator[Visit]:
    whoever = everyone(OK, anonymous=UNAUTHORIZED)
    yield get("/api/files/<id>", "/api/files/{open}", everyone(seen("file-open"), anonymous=UNAUTHORIZED))
    private = everyone(ABSENT, anonymous=UNAUTHORIZED, owner=seen("file-private"), admin=seen("file-private"))
    yield get("/api/files/<id>", "/api/files/{private}", private)
    yield get("/api/files/<id>", "/api/files/file_0_gone", everyone(ABSENT, anonymous=UNAUTHORIZED))
    named = seen("name-open", "name-private")
    yield get("/api/files", "/api/files", everyone(OK, anonymous=UNAUTHORIZED, owner=named, admin=named))
    theirs = everyone(DENIED, anonymous=UNAUTHORIZED, owner=named, admin=named)
    yield get("/api/files", "/api/files?user_id=alice", theirs)
    yield post("/api/files/upload", "/api/files/upload", b"x", everyone(CREATED, anonymous=UNAUTHORIZED))
    owners = everyone(DENIED, anonymous=UNAUTHORIZED, owner=OK, admin=OK)
    yield Visit("DELETE", "/api/files/<id>", "/api/files/{open}", owners)
    hidden = everyone(ABSENT, anonymous=UNAUTHORIZED, owner=OK, admin=OK)
    yield Visit("DELETE", "/api/files/<id>", "/api/files/{private}", hidden)
    bad = {name: UNAUTHORIZED if sees == UNAUTHORIZED else BAD for name, sees in whoever.items()}
    for pattern, url in (
        ("/api/files/", "/api/files/"),
        ("/api/files/<id>/", "/api/files/x/"),
        ("/api/files/<id>/<rest>", "/api/files/../x"),
        ("/api/files/<id>/<rest>/<rest>", "/api/files/a/b/c"),
    ):
        yield Visit("PUT", pattern, url, bad)


def open_to_all() -> Iterator[Visit]:
    yield get("/api/sync/pull", "/api/sync/pull?since=0", PULLED)
    yield get("/api/manifest", "/api/manifest", everyone(OK))
    yield get("/api/manifest", "/api/manifest?full=1", everyone(OK))
    yield get("/api/openapi.json", "/api/openapi.json", everyone(OK))
    yield get("/api/auth/me", "/api/auth/me", everyone(OK))
    yield get("/api/auth/session", "/api/auth/session", everyone(OK, owner=seen("email-alice")))
    yield post("/api/auth/session", "/api/auth/session", {"user_id": "alice"}, everyone(DENIED, admin=CREATED))
    yield Visit("DELETE", "/api/auth/session", "/api/auth/session", everyone(OK))
    yield post("/api/auth/guest", "/api/auth/guest", None, everyone(CREATED))
    yield post("/api/fn/<name>", "/api/fn/whoami", {}, everyone(OK))
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        yield Visit(method, "/api/webhooks/<name>", "/api/webhooks/whoami", everyone(BAD))
        yield Visit(method, "/api/webhooks/<name>", "/api/webhooks/nope", everyone(ABSENT))
    yield post(
        "/api/actions/<name>", "/api/actions/publish", {"ownerId": "alice"}, everyone(DENIED, owner=OK, admin=OK)
    )
    yield post("/api/actions/<name>", "/api/actions/nope", {}, everyone(ABSENT))
    yield get("/api/actions/<name>", "/api/actions/publish", everyone(NOT_ALLOWED))
    yield post("/api/__test__/reset", "/api/__test__/reset", None, everyone(DENIED))
    yield get("/api/search/<entity>", "/api/search/Note", everyone(NOT_ALLOWED))
    for path in ("/api/search", "/api/search/"):
        yield post(path, path, {}, everyone(BAD))


OTHERS = [*for_the_admin(), *files(), *open_to_all()]
