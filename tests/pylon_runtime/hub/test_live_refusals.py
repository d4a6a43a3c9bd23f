"""Live queries that are refused, at once or when their rows have become too many, and by which code."""

from functools import partial
from typing import Any

import pytest

from tests.pylon_runtime.hub.live_rig import ServerMaker, add, delete, subscribed, titles, types
from tests.support.live_queries import LiveServer


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"entity": "Nothing"}, "ENTITY_NOT_FOUND"),
        ({"entity": "Locked"}, "POLICY_DENIED"),
        ({"entity": None}, "INVALID_QUERY"),
        ({"where": {"colour": 1}}, "INVALID_COLUMN"),
        ({"where": {"_mark": "x"}}, "INVALID_COLUMN"),
        ({"order": {"_mark": "asc"}}, "INVALID_COLUMN"),
        ({"order": {"colour": "asc"}}, "INVALID_COLUMN"),
        ({"order": "rank"}, "INVALID_QUERY"),
        ({"where": []}, "INVALID_QUERY"),
        ({"where": {"$limit": 1}}, "INVALID_QUERY"),
        ({"where": {"$search": "a"}}, "INVALID_QUERY"),
        ({"where": {"$or": [{"rank": 1}, {"$search": "a"}]}}, "INVALID_QUERY"),
        ({"where": {"rank": "1"}}, "INVALID_QUERY"),
        ({"where": {"rank": {"$regex": "1"}}}, "INVALID_QUERY"),
        ({"limit": 0}, "INVALID_QUERY"),
        ({"limit": 1001}, "INVALID_QUERY"),
        ({"limit": "10"}, "INVALID_QUERY"),
    ],
    ids=repr,
)
def test_a_query_is_refused_by_its_id(server: LiveServer, query: dict[str, Any], code: str) -> None:
    client = server.connect("alice")

    client.subscribe("q", **{"entity": "Note", **query})
    server.settle()

    assert client.errors == {"q": code}
    assert server.stats.groups == 0


def test_equal_looking_values_are_not_one_query(server: LiveServer) -> None:
    """``1``, ``1.0`` and ``true`` are equal in Python."""
    add(server, "a", rank=1)
    assert titles(subscribed(server, where={"rank": 1})) == ["a"]
    assert titles(subscribed(server, where={"rank": 1.0})) == ["a"]

    client = server.connect("alice")
    client.subscribe("q", "Note", where={"rank": True})
    server.settle()

    assert client.errors == {"q": "INVALID_QUERY"}


def test_the_admin_may_ask_about_secret_fields_and_is_not_shown_them(server: LiveServer) -> None:
    add(server, "a", _mark="x")
    client = subscribed(server, "admin", where={"_mark": "x"})
    assert "_mark" not in client.rows("q")[0]

    server.transact(lambda tx: tx.update("Note", "a", {"_mark": "y"}))
    server.settle()

    assert client.rows("q") == []


def test_a_refused_query_ends_the_one_that_had_its_id(server: LiveServer) -> None:
    client = subscribed(server)

    client.subscribe("q", "Locked")
    server.settle()
    add(server, "a")
    server.settle()

    assert types(client) == ["live-error"]


@pytest.mark.parametrize("query_id", [None, "", 5, "x" * 65])
def test_what_has_no_proper_id_is_passed_over(server: LiveServer, query_id: Any) -> None:
    client = server.connect("alice")

    client.say({"type": "live-subscribe", "id": query_id, "entity": "Note"})
    client.say({"type": "live-unsubscribe", "id": query_id})
    server.settle()

    assert client.take_told() == []


@pytest.mark.parametrize("values", [10_000, 20_000], ids=["a little too long", "much too long"])
def test_a_query_that_is_too_long_is_refused(server: LiveServer, values: int) -> None:
    client = subscribed(server)

    client.subscribe("q", "Note", where={"title": {"$in": ["seven"] * values}})
    client.subscribe("other", "Note")
    server.settle()

    assert client.errors == {"q": "PAYLOAD_TOO_LARGE"}
    assert client.lists.keys() == {"other"}


def test_a_long_message_whose_id_comes_late_is_passed_over(server: LiveServer) -> None:
    client = server.connect("alice")

    client.say({"type": "live-subscribe", "where": {"title": "x" * 70_000}, "id": "q", "entity": "Note"})
    server.settle()

    assert client.take_told() == []


def test_one_connection_has_so_many_queries(make_server: ServerMaker) -> None:
    server = make_server(live_queries_per_connection_max=2)
    client = server.connect("alice")
    for query_id in "abc":
        client.subscribe(query_id, "Note")
    server.settle()
    assert client.errors == {"c": "SUBSCRIBE_FAILED"}

    client.subscribe("a", "Note", where={"rank": 1})
    client.unsubscribe("b")
    client.subscribe("c", "Note")
    server.settle()

    assert client.errors == {}
    assert client.lists.keys() == {"a", "c"}


def test_the_server_has_so_many_different_queries(make_server: ServerMaker) -> None:
    server = make_server(live_queries_max=1)
    subscribed(server)

    client = server.connect("alice")
    client.subscribe("same", "Note")
    client.subscribe("other", "Note", where={"rank": 1})
    server.settle()

    assert client.lists.keys() == {"same"}
    assert client.errors == {"other": "NOT_AVAILABLE"}


def test_rows_that_are_too_large_are_refused_at_once_or_when_they_have_become_so(
    make_server: ServerMaker,
) -> None:
    server = make_server(live_query_bytes_max=20_000)
    client = subscribed(server)

    add(server, "large", title="x" * 8_000)
    server.settle()
    assert client.errors == {"q": "PAYLOAD_TOO_LARGE"}

    client.subscribe("again", "Note")
    server.settle()
    assert client.errors["again"] == "PAYLOAD_TOO_LARGE"
    assert server.stats.groups == 0


@pytest.mark.parametrize(("bytes_max", "length"), [(20_000, 1_000), (8_000, 1)], ids=["in text", "in memory"])
def test_large_rows_cost_spare_and_not_the_query(make_server: ServerMaker, bytes_max: int, length: int) -> None:
    server = make_server(live_query_bytes_max=bytes_max)
    for number in range(12):
        add(server, f"n{number}", rank=number, title="x" * length)
    client = subscribed(server, limit=2, order={"rank": "desc"})

    add(server, "new", rank=99)
    server.transact(partial(delete, "n11"))
    server.settle()

    assert [row["id"] for row in client.rows("q")] == ["new", "n10"]


def test_the_rows_of_all_queries_are_bounded_together(make_server: ServerMaker) -> None:
    server = make_server(live_queries_bytes_max=10_000)
    add(server, "a", rank=1, title="x" * 2_000)
    first = subscribed(server, where={"rank": 1})

    client = server.connect("alice")
    client.subscribe("second", "Note")
    server.settle()
    assert client.errors == {"second": "NOT_AVAILABLE"}

    add(server, "b", rank=1, title="x" * 2_000)
    server.settle()
    assert first.errors == {"q": "NOT_AVAILABLE"}
