"""A visit: one request and what each kind of caller may see of the answer. And what each reads of all rows."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from pylon_core import jsontext
from tests.support.policy_world import PEOPLE


class Seen(NamedTuple):
    """What one caller gets: a status, and the marks in the bytes of the answer."""

    status: int
    marks: frozenset[str] = frozenset()


def seen(*marks: str, status: int = 200) -> Seen:
    return Seen(status, frozenset(marks))


OK = seen()
CREATED = seen(status=201)
DENIED = seen(status=403)
UNAUTHORIZED = seen(status=401)
ABSENT = seen(status=404)
BAD = seen(status=400)
NOT_ALLOWED = seen(status=405)


def everyone(what: Seen, **others: Seen) -> dict[str, Seen]:
    """``what`` for everybody but those named; ``other_tenant`` is spelled so."""
    named = {name.replace("_", " "): exception for name, exception in others.items()}
    assert named.keys() <= PEOPLE.keys()
    return {name: named.get(name, what) for name in PEOPLE}


@dataclass(frozen=True)
class Visit:
    """One request and what each caller sees of it. ``{open}`` and ``{private}`` in a URL are Alice's files.

    ``secrets_to`` names who may be shown secret fields.
    """

    method: str
    pattern: str
    url: str
    sees: dict[str, Seen]
    body: Any = None
    secrets_to: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        body = "" if self.body is None else jsontext.encode(self.body).decode()[:70]
        return f"{self.method} {self.url} {body}"


def get(pattern: str, url: str, sees: dict[str, Seen], **members: Any) -> Visit:
    return Visit("GET", pattern, url, sees, **members)


def post(pattern: str, url: str, body: Any, sees: dict[str, Seen], **members: Any) -> Visit:
    return Visit("POST", pattern, url, sees, body, **members)


ALL_MARKS = {
    "User": ("email-alice", "email-bob"),
    "Note": ("note-alice", "note-bob", "note-nobody"),
    "Comment": ("comment-open", "comment-alice", "comment-bob"),
    "Doc": ("doc-acme", "doc-zeta", "doc-none"),
    "Report": ("report-acme", "report-zeta", "report-open"),
    "Post": ("post-live", "post-alice", "post-bob"),
    "Vault": ("vault",),
    "Drop": ("drop-alice",),
}
EVERYTHING = seen(*(mark for marks in ALL_MARKS.values() for mark in marks))


def whole(entity: str) -> Seen:
    return seen(*ALL_MARKS[entity])


READS: dict[str, dict[str, Seen]] = {
    "User": everyone(whole("User"), anonymous=DENIED),
    "Note": everyone(OK, anonymous=DENIED, owner=seen("note-alice"), admin=whole("Note")),
    "Comment": everyone(seen("comment-open"), owner=seen("comment-open", "comment-alice"), admin=whole("Comment")),
    "Doc": everyone(DENIED, owner=seen("doc-acme"), other_tenant=seen("doc-zeta"), admin=whole("Doc")),
    "Report": everyone(
        seen("report-open"),
        owner=seen("report-open", "report-acme"),
        other_tenant=seen("report-open", "report-zeta"),
        admin=whole("Report"),
    ),
    "Post": everyone(seen("post-live"), owner=seen("post-live", "post-alice"), admin=whole("Post")),
    "Vault": everyone(DENIED, admin=whole("Vault")),
    "Drop": everyone(DENIED, admin=whole("Drop")),
}
"""What each caller reads of each entity when asking for all of it."""

PULLED = {name: seen(*(mark for sees in READS.values() for mark in sees[name].marks)) for name in PEOPLE}
"""In a pull nothing is refused: what one may not read is not there."""
