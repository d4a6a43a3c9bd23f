"""``/api/batch`` and ``/api/transact``: many writes in one request, for the administrator."""

from collections.abc import Callable
from typing import Any

import pytest

from pylon_http import ChangeKind, DataError, TxStore
from pylon_router.row_operations import OPERATIONS_MAX
from pylon_router.write_series import STRETCH, write_each
from tests.support.data_api import DataApi

Operation = dict[str, Any]


def insert(title: Any = "Tea", **data: Any) -> Operation:
    return {"op": "insert", "entity": "Todo", "data": {"title": title, **data}}


def update(row_id: Any, **data: Any) -> Operation:
    return {"op": "update", "entity": "Todo", "id": row_id, "data": data}


def delete(row_id: Any) -> Operation:
    return {"op": "delete", "entity": "Todo", "id": row_id}


def batch(api: DataApi, *operations: Any) -> Any:
    answer = api.send("POST", "/api/batch", "admin", {"operations": list(operations)})
    assert answer.status == 200
    return answer.json


def todos(api: DataApi) -> dict[str, str]:
    return {row["id"]: row["title"] for row in api.send("GET", "/api/entities/Todo").json}


@pytest.mark.parametrize("who", ["anonymous", "guest", "alice"])
@pytest.mark.parametrize("path", ["/api/batch", "/api/transact", "/api/import"])
def test_bulk_writes_are_for_the_administrator_whatever_the_body_is(api: DataApi, path: str, who: str) -> None:
    with api.unchanged():
        answer = api.send("POST", path, who, b"{broken")

    assert (answer.status, answer.code) == (403, "FORBIDDEN")


MALFORMED = [
    (3, None),
    ({"op": "upsert", "entity": "Todo"}, "upsert"),
    ({"op": 7}, None),
    ({"entity": "Todo", "data": {}}, None),
    ({"op": ["insert"]}, None),
    ({"op": "insert", "data": {"title": "x"}}, "insert"),
    ({"op": "insert", "entity": "Todo"}, "insert"),
    ({"op": "insert", "entity": "Todo", "data": [1]}, "insert"),
    ({"op": "update", "entity": "Todo", "data": {}}, "update"),
    ({"op": "update", "entity": "Todo", "id": "x"}, "update"),
    ({"op": "delete", "entity": "Todo", "id": 4}, "delete"),
]


class TestBatch:
    def test_each_operation_is_answered_in_order(self, api: DataApi) -> None:
        kept, gone = api.add("Todo", title="kept"), api.add("Todo", title="gone")

        answer = batch(api, insert("new"), update(kept["id"], title="changed"), delete(gone["id"]))

        assert (answer["succeeded"], answer["failed"]) == (3, 0)
        new, *others = answer["results"]
        assert new == {"op": "insert", "ok": True, "id": new["id"]}
        assert others == [
            {"op": "update", "ok": True, "id": kept["id"]},
            {"op": "delete", "ok": True, "id": gone["id"]},
        ]
        assert todos(api) == {kept["id"]: "changed", new["id"]: "new"}
        kinds = [event.kind for event in api.log()[-3:]]
        assert kinds == [ChangeKind.INSERT, ChangeKind.UPDATE, ChangeKind.DELETE]

    def test_what_fails_undoes_nothing_else(self, api: DataApi) -> None:
        answer = batch(
            api,
            insert("one"),
            insert(None),
            {"op": "insert", "entity": "Nothing", "data": {}},
            update("absent", nothing=1),
            insert("two"),
        )

        assert (answer["succeeded"], answer["failed"]) == (2, 3)
        assert sorted(todos(api).values()) == ["one", "two"]
        failures = [result for result in answer["results"] if not result["ok"]]
        assert [failure["code"] for failure in failures] == [
            "INSERT_FAILED",
            "ENTITY_NOT_FOUND",
            "INVALID_COLUMN",
        ]
        assert [failure.get("id") for failure in failures] == [None, None, "absent"]
        assert all(isinstance(failure["error"], str) for failure in failures)
        assert len(api.log()) == 2

    def test_later_operations_see_earlier_ones(self, api: DataApi) -> None:
        batch(api, {"op": "insert", "entity": "Note", "data": {"title": "a", "slug": "taken"}})

        note = {"op": "insert", "entity": "Note", "data": {"title": "b", "slug": "taken"}}
        answer = batch(api, note, {**note, "data": {"title": "c", "slug": "free"}})

        assert [result["ok"] for result in answer["results"]] == [False, True]

    def test_a_missing_row_is_no_failure_and_no_event(self, api: DataApi) -> None:
        with api.unchanged():
            answer = batch(api, update("absent", title="x"), delete("absent"))

        assert answer["results"] == [
            {"op": "update", "ok": True, "id": "absent"},
            {"op": "delete", "ok": True, "id": "absent"},
        ]

    @pytest.mark.parametrize(("operation", "name"), MALFORMED, ids=repr)
    def test_a_malformed_operation_fails_alone(self, api: DataApi, operation: Any, name: str | None) -> None:
        answer = batch(api, operation, insert())

        malformed, sound = answer["results"]
        assert (malformed["op"], malformed["ok"], malformed["code"]) == (name, False, "INVALID_DATA")
        assert sound["ok"]

    def test_an_unknown_operation_is_named_so(self, api: DataApi) -> None:
        (result,) = batch(api, {"op": "upsert"})["results"]

        assert result == {"op": "upsert", "ok": False, "error": "unknown operation", "code": "INVALID_DATA"}

    @pytest.mark.parametrize("body", [{}, {"operations": {}}, {"operations": None}], ids=repr)
    def test_operations_must_be_an_array(self, api: DataApi, body: Any) -> None:
        answer = api.send("POST", "/api/batch", "admin", body)

        assert (answer.status, answer.code) == (400, "MISSING_OPERATIONS")

    def test_nothing_to_do_is_done(self, api: DataApi) -> None:
        assert batch(api) == {"failed": 0, "results": [], "succeeded": 0}

    def test_a_batch_is_committed_in_stretches(self, api: DataApi) -> None:
        transactions: list[int] = []
        api.store.subscribe(lambda events: transactions.append(len(events)))

        batch(api, *[insert(str(number)) for number in range(STRETCH + 1)])

        assert transactions == [STRETCH, 1]


class TestTransact:
    def test_all_of_it_is_committed(self, api: DataApi) -> None:
        kept, gone = api.add("Todo", title="kept"), api.add("Todo", title="gone")
        operations = [insert("new"), update(kept["id"], title="changed"), delete(gone["id"])]

        answer = api.send("POST", "/api/transact", "admin", operations)

        new = answer.json["results"][0]["id"]
        assert answer.status == 200
        assert answer.json == {
            "committed": True,
            "results": [
                {"op": "insert", "id": new},
                {"op": "update", "id": kept["id"], "updated": True},
                {"op": "delete", "id": gone["id"], "deleted": True},
            ],
        }
        assert todos(api) == {kept["id"]: "changed", new: "new"}
        assert len({event.timestamp_ms for event in api.log()[-3:]}) == 1

    def test_or_none_of_it(self, api: DataApi) -> None:
        kept = api.add("Todo", title="kept")

        with api.unchanged():
            answer = api.send(
                "POST",
                "/api/transact",
                "admin",
                [insert("new"), delete(kept["id"]), insert(None), insert("late")],
            )

        assert answer.status == 400
        assert answer.json["committed"] is False
        first, second, failed = answer.json["results"]
        assert (first["op"], second) == ("insert", {"op": "delete", "id": kept["id"], "deleted": True})
        assert failed == {"op": "insert", "code": "INSERT_FAILED", "error": "Todo.title is required."}
        assert todos(api) == {kept["id"]: "kept"}

    def test_a_missing_row_is_told_and_no_failure(self, api: DataApi) -> None:
        answer = api.send("POST", "/api/transact", "admin", [update("absent", title="x"), delete("absent")])

        assert answer.json["results"] == [
            {"op": "update", "id": "absent", "updated": False},
            {"op": "delete", "id": "absent", "deleted": False},
        ]

    @pytest.mark.parametrize(("operation", "name"), MALFORMED, ids=repr)
    def test_a_malformed_operation_is_found_before_anything_is_done(
        self, api: DataApi, operation: Any, name: str | None
    ) -> None:
        with api.unchanged():
            answer = api.send("POST", "/api/transact", "admin", [insert(), operation])

        (failed,) = answer.json["results"]
        assert (answer.status, answer.json["committed"]) == (400, False)
        assert (failed["op"], failed["code"]) == (name, "INVALID_DATA")

    @pytest.mark.parametrize("body", [b"", b"{}", b"[", b'{"operations": []}'], ids=repr)
    def test_the_body_must_be_an_array(self, api: DataApi, body: bytes) -> None:
        assert api.send("POST", "/api/transact", "admin", body).code == "INVALID_JSON"

    def test_nothing_to_do_commits(self, api: DataApi) -> None:
        answer = api.send("POST", "/api/transact", "admin", [])

        assert (answer.status, answer.json) == (200, {"committed": True, "results": []})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/batch", lambda operations: {"operations": operations}),
        ("/api/transact", lambda operations: operations),
    ],
    ids=["batch", "transact"],
)
def test_a_request_takes_so_many_operations(
    api: DataApi, path: str, body: Callable[[list[Operation]], Any]
) -> None:
    with api.unchanged():
        answer = api.send("POST", path, "admin", body([delete("x")] * (OPERATIONS_MAX + 1)))

    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


def test_a_failure_of_the_database_is_not_taken_for_the_neighbours_own(api: DataApi) -> None:
    tries: list[str] = []

    def write(tx: TxStore, title: str) -> str:
        tries.append(title)
        if title == "poison":
            raise DataError("QUERY_FAILED", "The database failed to do this.", status=500)
        return str(tx.insert("Todo", {"title": title})["id"])

    first, poison, last = write_each(api.store, ["first", "poison", "last"], write)

    assert isinstance(poison, DataError)
    assert todos(api) == {first: "first", last: "last"}
    assert tries == ["first", "poison", "first", "poison", "last"]


@pytest.mark.parametrize("code", ["COMMIT_FAILED", "NOT_AVAILABLE"])
def test_what_may_have_been_stored_is_not_written_again(api: DataApi, code: str) -> None:
    tries: list[int] = []

    def write(_tx: TxStore, item: int) -> None:
        tries.append(item)
        raise DataError(code, "…")

    outcomes = write_each(api.store, [1, 2], write)

    assert [outcome.code for outcome in outcomes if outcome is not None] == [code, code]
    assert tries == [1]
