"""What there is about one user: handed over, or erased without a trace but the end of each row."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from pylon_core import jsontext
from pylon_core.errors import PylonError
from pylon_http import ChangeKind, StoredFile
from tests.pylon_auth.memory_backend import SetClock
from tests.strategies.documents import app, entity, field
from tests.support.data_api import DataApi, optional, rules

ACCOUNTS = app(
    entities=[
        entity("Account", fields=[field("email"), optional("passwordHash"), optional("invitedBy", "id(Account)")]),
        entity("Task", fields=[field("title"), optional("assignee", "id(Account)"), optional("created_by")]),
        entity("Vote", fields=[optional("ownerId"), optional("userId", "int")]),
        entity("Other", fields=[optional("email"), optional("account", "id(Task)")]),
        entity("User", fields=[optional("authorId")]),
    ],
    policies=[rules(name, allow="true") for name in ("Account", "Task", "Vote", "Other", "User")],
    auth={"user": {"entity": "Account"}},
)


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi(ACCOUNTS, clock=SetClock())
    yield opened
    opened.store.close()


def fill(api: DataApi) -> None:
    api.add("Account", "ann", email="ann@example.org", passwordHash="hash")
    api.add("Account", "bob", email="bob@example.org", invitedBy="ann")
    api.add("Task", "hers", title="t1", assignee="ann")
    api.add("Task", "made", title="t2", created_by="ann")
    api.add("Task", "both", title="t3", assignee="ann", created_by="ann")
    api.add("Task", "bobs", title="t4", assignee="bob", created_by="bob")
    api.add("Vote", "vote", ownerId="ann")
    api.add("Other", "other", email="ann@example.org", account="hers")
    api.add("User", "ann", authorId="ann")


@pytest.mark.parametrize(("method", "verb"), [("POST", "export"), ("DELETE", "purge")])
@pytest.mark.parametrize("who", ["anonymous", "guest", "alice"])
def test_personal_data_is_the_administrators_business(api: DataApi, who: str, method: str, verb: str) -> None:
    with api.unchanged():
        assert api.send(method, f"/api/admin/users/ann/{verb}", who).code == "FORBIDDEN"


@pytest.mark.parametrize(("method", "verb"), [("POST", "export"), ("DELETE", "purge")])
def test_what_can_be_nobodys_id_is_refused(api: DataApi, method: str, verb: str) -> None:
    assert api.send(method, f"/api/admin/users/an%00n/{verb}", "admin").code == "INVALID_ID"


def test_an_export_has_the_account_and_every_row_that_refers_to_it(api: DataApi) -> None:
    fill(api)
    session = api.ctx.sessions.create("ann", device="phone").session

    answer = api.send("POST", "/api/admin/users/ann/export", "admin").json

    assert answer["user_id"] == "ann"
    assert answer["exported_at"] == "2027-01-15T08:00:00Z"
    found = {name: [row["id"] for row in rows] for name, rows in answer["entities"].items()}
    assert found == {"Account": ["ann"], "Task": ["both", "hers", "made"], "Vote": ["vote"], "User": ["ann"]}
    assert answer["entities"]["Account"] == [{"id": "ann", "email": "ann@example.org", "invitedBy": None}]
    assert [(known["id"], known["device"]) for known in answer["sessions"]] == [(session.id, "phone")]


def test_an_export_of_nobody_is_empty(api: DataApi) -> None:
    answer = api.send("POST", "/api/admin/users/nobody/export", "admin")

    assert answer.status == 200
    assert (answer.json["entities"], answer.json["sessions"]) == ({}, [])


def test_a_purge_erases_rows_sessions_and_what_the_log_knew(api: DataApi) -> None:
    fill(api)
    token = api.ctx.sessions.create("ann").token
    others = [row for name in ("Account", "Task", "Other") for row in rows_of(api, name) if "bob" in str(row)]

    answer = api.send("DELETE", "/api/admin/users/ann/purge", "admin").json

    assert answer == {
        "user_id": "ann",
        "rows_deleted": 6,
        "sessions_revoked": 1,
        "errors": [],
        "purged_at": "2027-01-15T08:00:00Z",
    }
    assert api.ctx.sessions.resolve(token) is None
    assert [row for name in ("Account", "Task") for row in rows_of(api, name)] == others
    assert rows_of(api, "Vote") == rows_of(api, "User") == []
    log = api.log()
    kept = {("Account", "bob"), ("Task", "bobs"), ("Other", "other")}
    assert {(e.entity, e.row_id) for e in log if e.kind is not ChangeKind.DELETE} == kept
    ended = [(e.entity, e.row_id) for e in log if e.kind is ChangeKind.DELETE]
    assert sorted(ended) == sorted(set(ended))
    assert len(ended) == 6
    assert "hash" not in jsontext.encode([e.row for e in log]).decode()
    assert api.send("POST", "/api/admin/users/ann/export", "admin").json["entities"] == {}


def test_another_persons_account_is_not_erased_for_referring_to_this_one(api: DataApi) -> None:
    fill(api)

    api.send("DELETE", "/api/admin/users/ann/purge", "admin")

    assert [row["id"] for row in rows_of(api, "Account")] == ["bob"]


def test_purging_twice_finds_nothing_more(api: DataApi) -> None:
    fill(api)
    api.send("DELETE", "/api/admin/users/ann/purge", "admin")

    with api.unchanged():
        answer = api.send("DELETE", "/api/admin/users/ann/purge", "admin")

    assert (answer.status, answer.json["rows_deleted"], answer.json["sessions_revoked"]) == (200, 0, 0)


def test_more_rows_than_a_page_are_erased_together(api: DataApi) -> None:
    def add(tx: Any) -> None:
        for _ in range(1_200):
            tx.insert("Vote", {"ownerId": "ann"})

    api.store.transact(add)
    commits: list[int] = []
    api.store.subscribe(lambda events: commits.append(len(events)))

    answer = api.send("DELETE", "/api/admin/users/ann/purge", "admin").json

    assert answer["rows_deleted"] == 1_200
    assert commits == [1_200]
    assert rows_of(api, "Vote") == []


class Letters:
    name = "letters"

    def __init__(self) -> None:
        self.of = {"ann": ["Dear"], "bob": ["Hi"]}
        self.locked = False

    def export(self, user_id: str) -> Sequence[Any]:
        return self.of.get(user_id, [])

    def erase(self, user_id: str) -> None:
        if self.locked:
            raise PylonError("NOT_AVAILABLE", "The drawer is locked.")
        self.of.pop(user_id, None)


def test_other_parts_of_the_program_hand_over_and_erase_too(api: DataApi) -> None:
    letters = Letters()
    api.reconfigure(personal_data=(letters,))

    exported = api.send("POST", "/api/admin/users/ann/export", "admin").json
    api.send("DELETE", "/api/admin/users/ann/purge", "admin")

    assert exported["letters"] == ["Dear"]
    assert letters.of == {"bob": ["Hi"]}


def test_what_could_not_be_erased_is_told(api: DataApi) -> None:
    letters = Letters()
    letters.locked = True
    api.reconfigure(personal_data=(letters,))
    fill(api)

    answer = api.send("DELETE", "/api/admin/users/ann/purge", "admin").json

    assert answer["errors"] == ["letters: The drawer is locked."]
    assert answer["rows_deleted"] == 6


class Shelf:
    """As much of a ``FileLibrary`` as is asked here."""

    def __init__(self, *owners: str) -> None:
        self.files = [
            StoredFile(f"file_{n}", owner, "a.txt", "text/plain", 5, "00", False, 1_800_000_000)
            for n, owner in enumerate(owners)
        ]

    def page(self, user_id: str | None, after: str | None, limit: int) -> Sequence[StoredFile]:
        found = [file for file in self.files if file.user_id == user_id and file.id > (after or "")]
        return found[: min(limit, 2)]

    def delete(self, file_id: str) -> bool:
        self.files = [file for file in self.files if file.id != file_id]
        return True


def test_files_belong_to_it(api: DataApi) -> None:
    shelf = Shelf("ann", "bob", "ann", "ann")
    api.reconfigure(files=shelf)

    exported = api.send("POST", "/api/admin/users/ann/export", "admin").json
    api.send("DELETE", "/api/admin/users/ann/purge", "admin")

    assert [file["id"] for file in exported["files"]] == ["file_0", "file_2", "file_3"]
    assert exported["files"][0]["created_at"] == "2027-01-15T08:00:00.000Z"
    assert [file.user_id for file in shelf.files] == ["bob"]


def rows_of(api: DataApi, name: str) -> list[Any]:
    rows: list[Any] = api.send("GET", f"/api/entities/{name}").json
    return rows
