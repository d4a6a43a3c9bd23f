"""Pull and push as a caller sees them: policies on both, and the answers that clients read (contract 05)."""

import threading
from typing import Any

import pytest

import pylon_sync.pull
from pylon_core.errors import PylonError
from pylon_http import StreamedResponse
from pylon_router import Caller, dispatch
from pylon_sync.push import STRETCH_S
from tests.pylon_auth.memory_backend import SetClock
from tests.support.compacting import RETENTION_S, compact
from tests.support.data_api import IDENTITIES, DataApi

EVERYONE = ["anonymous", "guest", "alice", "bob", "admin"]


def change(kind: str, entity: str, row_id: str, data: object = None, op_id: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "entity": entity, "row_id": row_id, "data": data, "op_id": op_id}


def pull(api: DataApi, since: object = 0, as_user: str = "alice") -> Any:
    answered = api.send("GET", f"/api/sync/pull?since={since}", as_user)
    assert answered.status == 200
    return answered.json


def push(api: DataApi, *changes: object, as_user: str = "alice", **members: object) -> Any:
    answered = api.send("POST", "/api/sync/push", as_user, {"changes": changes, **members})
    assert answered.status == 200
    return answered.json


# --- pull


def test_an_empty_server_has_nothing_to_pull(api: DataApi) -> None:
    assert pull(api) == {"changes": [], "cursor": {"last_seq": 0}, "has_more": False}


def test_a_row_is_pulled_once(api: DataApi) -> None:
    row_id = api.send("POST", "/api/entities/Open", body={"title": "A", "done": True}).json["id"]

    page = pull(api)
    (event,) = page["changes"]

    assert event.keys() == {"seq", "entity", "row_id", "kind", "data", "timestamp"}
    assert (event["entity"], event["row_id"], event["kind"]) == ("Open", row_id, "insert")
    assert event["data"] == {"id": row_id, "title": "A", "done": True}
    assert page["cursor"]["last_seq"] == event["seq"] > 0
    assert pull(api, event["seq"])["changes"] == []


def test_the_three_kinds_come_in_order_and_a_delete_has_no_data(api: DataApi) -> None:
    api.send("POST", "/api/sync/push", body={"changes": [
        change("insert", "Open", "o1", {"title": "A"}),
        change("update", "Open", "o1", {"title": "B"}),
        change("delete", "Open", "o1"),
    ]})  # fmt: skip

    events = pull(api)["changes"]

    assert [event["kind"] for event in events] == ["insert", "update", "delete"]
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert events[1]["data"] == {"id": "o1", "title": "B", "done": None}
    assert "data" not in events[2]


@pytest.mark.parametrize(
    "query", ["", "?since=abc", "?since=-1", "?since=", "?since=99999999999999999999", "?limit=0"]
)
def test_an_unreadable_cursor_means_from_the_start(api: DataApi, query: str) -> None:
    api.add("Open", title="A")

    page = api.send("GET", f"/api/sync/pull{query}", "anonymous")

    assert (page.status, len(page.json["changes"]), page.json["cursor"]) == (200, 1, {"last_seq": 1})


def test_a_cursor_above_the_head_must_start_again(api: DataApi) -> None:
    api.add("Open", title="A")

    refused = api.send("GET", "/api/sync/pull?since=7")

    assert (refused.status, refused.code) == (410, "RESYNC_REQUIRED")
    assert refused.json["error"]["oldest_seq"] == 2


@pytest.mark.parametrize(
    ("as_user", "kinds"),
    [
        ("alice", ["insert", "update", "delete"]),
        ("bob", []),
        ("guest", []),
        ("anonymous", []),
        ("admin", ["insert", "update", "delete"]),
    ],
)
def test_an_owner_gets_every_change_of_her_row_and_nobody_else_any(
    api: DataApi, as_user: str, kinds: list[str]
) -> None:
    api.add("Note", "n1", ownerId="alice", title="A")
    api.send("PATCH", "/api/entities/Note/n1", "alice", {"title": "B"})
    api.send("DELETE", "/api/entities/Note/n1", "alice")

    page = pull(api, as_user=as_user)

    assert [event["kind"] for event in page["changes"]] == kinds
    assert page["cursor"] == {"last_seq": 3}


def test_a_row_that_leaves_a_viewers_sight_is_deleted_there(api: DataApi) -> None:
    api.add("Note", "n1", ownerId="alice", title="A")
    seen = pull(api)["cursor"]["last_seq"]
    api.send("PATCH", "/api/entities/Note/n1", "admin", {"ownerId": "bob"})

    (hers,) = pull(api, seen, "alice")["changes"]
    (his,) = pull(api, seen, "bob")["changes"]

    assert (hers["kind"], "data" in hers) == ("delete", False)
    assert (his["kind"], his["data"]["title"]) == ("update", "A")


@pytest.mark.parametrize("entity", ["Locked", "Drop"])
def test_hidden_events_move_the_cursor(api: DataApi, entity: str) -> None:
    api.add(entity, title="A")

    page = pull(api)

    assert (page["changes"], page["cursor"], page["has_more"]) == ([], {"last_seq": 1}, False)


# --- push: who may


def test_without_a_session_nothing_is_pushed(api: DataApi) -> None:
    bodies: list[object] = [{"changes": []}, b"{", {"changes": [change("insert", "Open", "o1", {"title": "A"})]}]
    for body in bodies:
        with api.unchanged():
            refused = api.send("POST", "/api/sync/push", "anonymous", body)
        assert (refused.status, refused.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize("as_user", ["guest", "alice", "admin"])
def test_any_identity_may_push(api: DataApi, as_user: str) -> None:
    pushed = push(api, change("insert", "Open", "o1", {"title": "A"}, "op1"), as_user=as_user, client_id="c1")

    assert pushed == {
        "applied": 1,
        "deduped": 0,
        "errors": [],
        "results": [{"op_id": "op1", "status": "applied", "row_id": "o1"}],
        "cursor": {"last_seq": 1},
    }


@pytest.mark.parametrize(
    ("refused", "beginning"),
    [
        (change("insert", "Note", "n9", {"title": "A", "ownerId": "alice"}), "insert Note: "),
        (change("insert", "Locked", "l9", {"title": "A"}), "insert Locked: "),
        (change("update", "Note", "n1", {"title": "B"}), "update Note/n1: "),
        (change("update", "Note", "n1", {"ownerId": "bob"}), "update Note/n1: "),
        (change("delete", "Note", "n1"), "delete Note/n1: "),
        (change("insert", "User", "u1", {"email": "a@b.c", "passwordHash": "mine"}), "insert User: "),
        (change("insert", "Nope", "x", {}), "insert Nope: "),
    ],
)
def test_policies_hold_for_each_change(api: DataApi, refused: object, beginning: str) -> None:
    api.add("Note", "n1", ownerId="alice", title="A")

    with api.unchanged():
        pushed = push(api, refused, as_user="bob")

    assert (pushed["applied"], len(pushed["errors"])) == (0, 1)
    assert pushed["errors"][0].startswith(beginning)


def test_clients_mark_the_first_applied_the_second_failed_and_keep_the_third(api: DataApi) -> None:
    pushed = push(
        api,
        change("insert", "Open", "o1", {"title": "A"}, "op1"),
        change("insert", "Locked", "l1", {"title": "B"}, "op2"),
        change("insert", "Open", "o3", {"title": "C"}, "op3"),
    )

    def mark(position: int) -> str:
        if position < pushed["applied"]:
            return "applied"
        failed = position - pushed["applied"] < len(pushed["errors"])
        return "failed" if failed else "pending"

    assert [mark(position) for position in range(3)] == ["applied", "failed", "pending"]
    assert api.send("GET", "/api/entities/Open/o3").status == 404


class HurriedClock(SetClock):
    """Whoever looks at it finds that the time of a transaction is over."""

    def monotonic(self) -> float:
        self.advance(STRETCH_S)
        return super().monotonic()


def test_a_long_push_lets_other_writes_in_between() -> None:
    api = DataApi(clock=HurriedClock())
    commits: list[list[str]] = []
    api.store.subscribe(lambda events: commits.append([event.row_id for event in events]))
    fourth = change("insert", "Locked", "o4", {"title": "A"})

    pushed = push(api, *(change("insert", "Open", f"o{n}", {"title": "A"}) for n in (1, 2, 3)), fourth, fourth)

    assert commits == [["o1"], ["o2"], ["o3"]]
    assert (pushed["applied"], len(pushed["errors"])) == (3, 1)
    assert [result["status"] for result in pushed["results"]] == ["applied"] * 3 + ["failed"]
    api.store.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_same_push_three_times_at_once_is_applied_once(engine: str) -> None:
    """A client whose connection breaks repeats a push that is still being applied."""
    api = DataApi(engine=engine)
    for number in range(15):
        insert = change("insert", "Open", f"o{number}", {"title": "A"}, f"op{number}")
        answers: list[Any] = []
        start = threading.Barrier(3)

        def push_it(insert: object = insert, answers: list[Any] = answers, start: Any = start) -> None:
            start.wait()
            answers.append(push(api, insert, client_id="c1"))

        threads = [threading.Thread(target=push_it) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        statuses = sorted(answer["results"][0]["status"] for answer in answers)
        assert statuses == ["applied", "deduped", "deduped"]
    assert len(api.log()) == 15
    api.store.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_first_answer_reaches_to_the_oldest_cursor_served(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages that takes; and what goes on from its cursor is an ordinary page."""
    monkeypatch.setattr(pylon_sync.pull, "PAGE_EVENTS_MAX", 3)
    api = DataApi(engine=engine)
    for number in range(10):
        api.add("Locked" if number in (3, 4, 5) else "Open", f"o{number}", title="A")
    api.store.transact(lambda tx: tx.delete("Open", "o9"))
    compact(api.store.upkeep, RETENTION_S + 60)
    for number in range(20, 25):
        api.add("Open", f"o{number}", title="A")

    first = pull(api)
    rest = pull(api, first["cursor"]["last_seq"])

    assert [event["row_id"] for event in first["changes"]] == [
        "o0",
        "o1",
        "o2",
        "o6",
        "o7",
        "o8",
        "o20",
        "o21",
        "o22",
    ]
    assert (first["cursor"], first["has_more"]) == ({"last_seq": 14}, True)
    assert [event["row_id"] for event in rest["changes"]] == ["o23", "o24"]
    assert rest["has_more"] is False
    assert api.send("GET", "/api/sync/pull?since=10").code == "RESYNC_REQUIRED"
    api.store.close()


def test_a_first_answer_that_the_log_was_compacted_under_breaks_off(
    api: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pylon_sync.pull, "PAGE_EVENTS_MAX", 2)

    def delete_and_compact(row_id: str) -> None:
        api.store.transact(lambda tx: tx.delete("Open", row_id))
        compact(api.store.upkeep, RETENTION_S + 60)

    for number in range(10):
        api.add("Open", f"o{number}", title="A")
    delete_and_compact("o9")
    answer = dispatch(api.ctx, "GET", "/api/sync/pull?since=0", b"", Caller(IDENTITIES["alice"]))
    assert isinstance(answer, StreamedResponse)
    pieces = answer.pieces()
    begun = next(pieces) + next(pieces)

    delete_and_compact("o0")

    assert b'"o0"' in begun
    with pytest.raises(PylonError, match="NOT_AVAILABLE"):
        list(pieces)
    assert '"o0"' not in str(pull(api))


def test_a_refused_change_is_applied_once_it_is_allowed(api: DataApi) -> None:
    rename = change("update", "Note", "n1", {"title": "B"}, "op1")
    assert push(api, rename)["applied"] == 0

    api.add("Note", "n1", ownerId="alice", title="A")

    assert push(api, rename)["applied"] == 1


def test_a_pending_insert_leaves_exactly_one_row_in_a_replica(api: DataApi) -> None:
    pending = "_pending_1767225600000_k3x"
    insert = change("insert", "Note", pending, {"title": "A", "ownerId": "alice"}, "op1")

    first, again = push(api, insert), push(api, insert)

    assert (first["applied"], again["applied"], again["deduped"]) == (1, 1, 1)
    assert [event["row_id"] for event in pull(api)["changes"]] == [pending]


@pytest.mark.parametrize("as_user", ["alice", "bob"])
def test_a_taken_id_shows_nothing_of_the_row_that_has_it(api: DataApi, as_user: str) -> None:
    api.add("Note", "n1", ownerId="alice", title="private", slug="secret")

    with api.unchanged():
        pushed = push(
            api, change("insert", "Note", "n1", {"title": "A", "ownerId": as_user}, "op"), as_user=as_user
        )

    assert (pushed["applied"], pushed["results"][0]["status"]) == (0, "failed")
    assert pushed["errors"] == ["insert Note: Note already has a row with this id."]


@pytest.mark.parametrize("as_user", ["guest", "bob"])
def test_pushing_at_a_hidden_row_is_like_pushing_at_none(api: DataApi, as_user: str) -> None:
    api.add("Note", "hers", ownerId="alice", title="A")

    for kind in ("update", "delete"):
        there = push(api, change(kind, "Note", "hers", {"title": "B"}), as_user=as_user)["errors"][0]
        missing = push(api, change(kind, "Note", "gone", {"title": "B"}), as_user=as_user)["errors"][0]
        assert there.replace("hers", "gone") == missing


def test_the_cursor_of_the_answer_is_the_head(api: DataApi) -> None:
    api.add("Open", title="A")

    assert push(api)["cursor"] == {"last_seq": 1}


@pytest.mark.parametrize("body", [b"", b"{", None, [], {"changes": 7}, b'{"changes":' + b"[" * 300])
def test_what_is_no_push_is_refused(api: DataApi, body: object) -> None:
    refused = api.send("POST", "/api/sync/push", body=body)

    assert (refused.status, refused.code) == (400, "INVALID_JSON")
