"""Links: updates of the row that holds the reference, under its policy, to rows that the caller can see."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.data_api import Answer, DataApi
from tests.support.related import RELATED


@pytest.fixture
def api() -> Iterator[DataApi]:
    opened = DataApi(RELATED)
    opened.add("Person", "ann", name="Ann")
    opened.add("Project", "mine", ownerId="alice", title="Mine")
    opened.add("Project", "theirs", ownerId="bob", title="Theirs")
    opened.add("Project", "shown", ownerId="bob", title="Shown", public=True)
    opened.add("Task", "t", ownerId="alice", title="t", authorId="ann", projectId="mine")
    opened.add("Task", "bobs", ownerId="bob", title="b", authorId="ann", projectId="shown", public=True)
    opened.add("Task", "hidden", ownerId="bob", title="h", authorId="ann", projectId="mine")
    yield opened
    opened.store.close()


def send(api: DataApi, verb: str, text: str, as_user: str = "alice") -> Answer:
    """``text`` is "entity id relation target", the last one if there is one."""
    body = dict(zip(("entity", "id", "relation", "target_id"), text.split(), strict=False))
    return api.send("POST", f"/api/{verb}", as_user, body)


def value(api: DataApi, entity: str, row_id: str, field: str) -> Any:
    row = api.store.get(entity, row_id)
    assert row is not None
    return row[field]


@pytest.mark.parametrize(
    ("text", "row", "held"),
    [
        ("Project mine lead ann", ("Project", "mine", "leadId"), "ann"),
        ("Task t project shown", ("Task", "t", "projectId"), "shown"),
        ("Project shown tasks t", ("Task", "t", "projectId"), "shown"),
    ],
)
def test_a_link_is_an_update_of_the_row_that_holds_it(
    api: DataApi, text: str, row: tuple[str, str, str], held: str
) -> None:
    before = len(api.log())

    linked = send(api, "link", text)

    assert (linked.status, linked.json) == (200, {"linked": True})
    assert value(api, *row) == held
    (event,) = api.log()[before:]
    assert (event.kind, event.entity, event.row_id) == ("update", row[0], row[1])


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Task t project", ("Task", "t", "projectId")),
        ("Task t project mine", ("Task", "t", "projectId")),
        ("Project mine tasks t", ("Task", "t", "projectId")),
    ],
)
def test_unlinking_clears_it(api: DataApi, text: str, row: tuple[str, str, str]) -> None:
    before = len(api.log())

    unlinked = send(api, "unlink", text)

    assert (unlinked.status, unlinked.json) == (200, {"unlinked": True})
    assert value(api, *row) is None
    assert len(api.log()) == before + 1


@pytest.mark.parametrize(
    ("verb", "text", "status", "code"),
    [
        ("link", "Project theirs lead ann", 403, "POLICY_DENIED"),
        ("link", "Project shown lead ann", 403, "POLICY_DENIED"),
        ("link", "Project none lead ann", 403, "POLICY_DENIED"),
        ("link", "Project mine tasks bobs", 403, "POLICY_DENIED"),
        ("link", "Project theirs tasks t", 403, "POLICY_DENIED"),
        ("link", "Project none tasks t", 403, "POLICY_DENIED"),
        ("link", "Task bobs project mine", 403, "POLICY_DENIED"),
        ("link", "Project mine lead none", 404, "NOT_FOUND"),
        ("link", "Project mine vault v", 404, "NOT_FOUND"),
        ("link", "Project mine tasks hidden", 404, "NOT_FOUND"),
        ("link", "Project mine tasks none", 404, "NOT_FOUND"),
        ("link", "Task t project theirs", 404, "NOT_FOUND"),
        ("unlink", "Project theirs lead", 403, "POLICY_DENIED"),
        ("unlink", "Project theirs lead ann", 403, "POLICY_DENIED"),
        ("unlink", "Project shown tasks bobs", 403, "POLICY_DENIED"),
        ("unlink", "Project mine tasks hidden", 404, "NOT_FOUND"),
        ("unlink", "Project mine tasks none", 404, "NOT_FOUND"),
        ("unlink", "Project shown tasks t", 404, "NOT_FOUND"),
        ("unlink", "Task t project shown", 404, "NOT_FOUND"),
        ("unlink", "Task t author", 400, "UPDATE_FAILED"),
        ("link", "Task t nope mine", 400, "RELATION_NOT_FOUND"),
        ("link", "Project mine audit ann", 400, "RELATION_NOT_FOUND"),
        ("link", "Person ann audits mine", 400, "RELATION_NOT_FOUND"),
        ("unlink", "Project mine audit", 400, "RELATION_NOT_FOUND"),
        ("link", "Nope mine lead ann", 404, "ENTITY_NOT_FOUND"),
    ],
)
def test_what_is_refused_changes_nothing(api: DataApi, verb: str, text: str, status: int, code: str) -> None:
    with api.unchanged():
        refused = send(api, verb, text)

    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    ("hidden", "absent"),
    [
        ("Task t project theirs", "Task t project none"),
        ("Project mine tasks hidden", "Project mine tasks none"),
        ("Project theirs lead ann", "Project none lead ann"),
        ("Project theirs tasks t", "Project none tasks t"),
    ],
)
@pytest.mark.parametrize("verb", ["link", "unlink"])
@pytest.mark.parametrize("as_user", ["alice", "guest", "anonymous"])
def test_a_hidden_row_and_an_absent_one_look_the_same(
    api: DataApi, verb: str, hidden: str, absent: str, as_user: str
) -> None:
    first, second = send(api, verb, hidden, as_user), send(api, verb, absent, as_user)

    assert (first.status, first.json) == (second.status, second.json)


def test_a_claim_in_the_body_does_not_count(api: DataApi) -> None:
    body = {"entity": "Project", "id": "theirs", "relation": "lead", "target_id": "ann", "ownerId": "alice"}

    assert api.send("POST", "/api/link", "alice", body).code == "POLICY_DENIED"


@pytest.mark.parametrize("verb", ["link", "unlink"])
def test_an_admin_links_anything_that_is_there(api: DataApi, verb: str) -> None:
    assert send(api, "link", "Project theirs audit ann", "admin").status == 200
    assert send(api, verb, "Project theirs audit ann", "admin").status == 200
    assert send(api, "link", "Project none lead ann", "admin").code == "NOT_FOUND"
    assert send(api, "link", "Project mine lead none", "admin").code == "NOT_FOUND"


def test_linking_twice_says_so_and_writes_once(api: DataApi) -> None:
    send(api, "link", "Project mine lead ann")

    with api.unchanged():
        assert send(api, "link", "Project mine lead ann").json == {"linked": True}


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        ("link", b"", "INVALID_JSON"),
        ("link", b"{", "INVALID_JSON"),
        ("link", [], "INVALID_DATA"),
        ("link", {}, "MISSING_FIELD"),
        ("link", {"entity": "Project", "id": "mine", "relation": "lead"}, "MISSING_FIELD"),
        ("link", {"entity": "Project", "id": "", "relation": "lead", "target_id": "ann"}, "MISSING_FIELD"),
        ("link", {"entity": "Project", "relation": "lead", "target_id": "ann"}, "MISSING_FIELD"),
        ("link", {"entity": "Project", "id": 5, "relation": "lead", "target_id": "ann"}, "INVALID_DATA"),
        ("link", {"entity": "Project", "id": "mine", "relation": ["lead"], "target_id": "ann"}, "INVALID_DATA"),
        ("link", {"entity": "Project", "id": "mine", "relation": "lead", "target_id": 5}, "INVALID_DATA"),
        ("unlink", {"entity": "Project", "id": "mine", "relation": "lead", "target_id": 5}, "INVALID_DATA"),
        ("unlink", {"entity": "Project", "id": "mine", "relation": "tasks"}, "MISSING_FIELD"),
        ("unlink", {"entity": "Project", "id": "mine"}, "MISSING_FIELD"),
    ],
    ids=str,
)
def test_a_body_of_the_wrong_form_is_refused(api: DataApi, verb: str, body: object, code: str) -> None:
    with api.unchanged():
        refused = api.send("POST", f"/api/{verb}", "alice", body)

    assert (refused.status, refused.code) == (400, code)
