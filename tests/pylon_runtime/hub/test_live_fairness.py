"""Nobody's live queries are in others' way: what one may have of them, and whose turn it is to be read again."""

from functools import partial
from typing import Any

from pylon_auth import AuthContext
from pylon_http.filters import parse_where
from tests.pylon_runtime.hub.live_rig import ServerMaker, add, delete, subscribed, titles, watched
from tests.support.data_api import IDENTITIES
from tests.support.live_queries import LiveClient, LiveServer
from tests.support.waiting import until


def asked(server: LiveServer, name: str, *ranks: int, **options: Any) -> LiveClient:
    """A client with as many live queries, all different ones."""
    client = server.connect(name, **options)
    for rank in ranks:
        client.subscribe(f"q{rank}", "Note", where={"rank": rank})
    server.settle()
    return client


def at(address: bytes) -> dict[str, Any]:
    return {"headers": [(b"x-peer", address)]}


def test_a_user_has_so_many_on_all_sockets_together(make_server: ServerMaker) -> None:
    server = make_server(live_queries_per_holder_max=3)

    first = asked(server, "alice", 1, 2, **at(b"10.0.0.1"))
    second = asked(server, "alice", 3, 4, **at(b"10.0.0.2"))
    other = asked(server, "bob", 1, 2, 3)

    assert first.errors == other.errors == {}
    assert second.errors == {"q4": "SUBSCRIBE_FAILED"}


def test_what_a_user_gives_back_they_may_have_again(make_server: ServerMaker) -> None:
    server = make_server(live_queries_per_holder_max=3)
    leaving, staying = asked(server, "alice", 1, 2), asked(server, "alice", 3)

    server.let_go(leaving)
    until(lambda: server.stats.groups == 1, "the end of its queries")
    staying.unsubscribe("q3")
    for rank in (4, 5, 6, 6, 7):
        staying.subscribe(f"q{rank}", "Note", where={"rank": rank})
    server.settle()
    assert staying.errors == {"q7": "SUBSCRIBE_FAILED"}

    server.let_go(staying)
    until(lambda: server.stats.groups == 0, "the end of all")
    assert not server.live._held_by


def test_guests_at_one_address_have_so_many_together(make_server: ServerMaker) -> None:
    server = make_server(live_queries_per_holder_max=2)
    server.identities = {**IDENTITIES, "another guest": AuthContext("guest_2", is_guest=True)}

    first = asked(server, "guest", 1, 2, **at(b"10.0.0.1"))
    second = asked(server, "another guest", 3, **at(b"10.0.0.1"))
    elsewhere = asked(server, "another guest", 3, **at(b"10.0.0.2"))
    user = asked(server, "alice", 3, **at(b"10.0.0.1"))

    assert first.errors == elsewhere.errors == user.errors == {}
    assert second.errors == {"q3": "SUBSCRIBE_FAILED"}


def test_many_queries_of_one_that_are_read_again_do_not_delay_anothers_single_one(
    make_server: ServerMaker,
) -> None:
    server = make_server(live_query_spare_min=1, live_query_spare_max=1)
    ranks = range(20)
    for rank in ranks:
        for number in range(3):
            add(server, f"a{rank}-{number}", rank=rank)
    for number in range(3):
        add(server, f"b{number}", ownerId="bob", rank=99)
    alice = server.connect("alice")
    for rank in ranks:
        alice.subscribe(f"q{rank}", "Note", where={"rank": rank}, limit=1)
    bob = subscribed(server, "bob", where={"rank": 99}, limit=1)
    store = watched(server)
    store.questions.clear()
    store.may_end.clear()

    for rank in ranks:
        server.transact(partial(delete, f"a{rank}-0"))
    server.transact(partial(delete, "b0"))
    until(lambda: server.stats.outstanding == len(ranks) + 1, "the need to read all again")
    store.may_end.set()
    server.settle()

    turns = [parse_where({"rank": 99}) == question.where for question in store.questions]
    assert turns.index(True) <= 2, turns
    assert titles(bob) == ["b1"]
    assert [titles(alice, f"q{rank}") for rank in ranks] == [[f"a{rank}-1"] for rank in ranks]


def test_what_nobody_wants_any_more_is_not_read_again(make_server: ServerMaker) -> None:
    server = make_server(live_query_spare_min=1, live_query_spare_max=1)
    for row_id in "abc":
        add(server, row_id, rank=1)
        add(server, row_id * 2, rank=2)
    client = server.connect("alice")
    for rank in (1, 2):
        client.subscribe(f"q{rank}", "Note", where={"rank": rank}, limit=1)
    server.settle()
    store = watched(server)
    store.questions.clear()
    store.may_end.clear()

    server.transact(partial(delete, "a"))
    until(lambda: len(store.questions) == 1, "the first reading")
    server.transact(partial(delete, "aa"))
    until(lambda: server.stats.outstanding == 2, "the need for a second")
    client.unsubscribe("q2")
    until(lambda: server.stats.groups == 1, "the end of that query")
    store.may_end.set()
    server.settle()

    assert titles(client, "q1") == ["b"]
    assert len(store.questions) == 1
    assert not server.live._to_reread._lines
