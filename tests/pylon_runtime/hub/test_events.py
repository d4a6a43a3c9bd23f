"""What a socket is sent of committed changes: which, in which order, in which shape."""

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pylon_auth.context import AuthContext
from pylon_http import ChangeKind
from tests.pylon_runtime.hub.harness import OwnerPolicy, Stage, change, visible_fields


def test_an_event_arrives_with_its_row_and_without_hidden_fields(stage: Stage) -> None:
    client = stage.connect()

    stage.publish(change(7, kind=ChangeKind.INSERT, title="hi", done=False, _secret="s"))

    assert client.next() == {
        "seq": 7,
        "entity": "Note",
        "row_id": "n7",
        "kind": "insert",
        "data": {"id": "n7", "owner": "*", "title": "hi", "done": False},
        "timestamp": "2026-01-01T00:00:00.000Z",
    }


def test_a_row_that_may_not_be_read_never_arrives(stage: Stage) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    stage.publish(change(1, owner="ann"), change(2, owner="bob"), change(3, owner="eve"), change(4))

    assert ann.seqs(2) == [1, 4]
    assert bob.seqs(2) == [2, 4]


def test_a_row_that_leaves_a_viewers_sight_is_deleted_there(stage: Stage) -> None:
    ann, bob, eve = stage.connect("ann"), stage.connect("bob"), stage.connect("eve")

    stage.publish(change(1, owner="bob", before={"owner": "ann"}), change(2))

    assert [(m["seq"], m["kind"], "data" in m) for m in (ann.next(), ann.next())] == [
        (1, "delete", False),
        (2, "update", True),
    ]
    assert [(m["seq"], m["kind"], "data" in m) for m in (bob.next(), bob.next())] == [
        (1, "update", True),
        (2, "update", True),
    ]
    assert eve.seqs(1) == [2]


def test_a_delete_reaches_those_who_could_read_the_row(stage: Stage) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    stage.publish(change(1, owner="ann", kind=ChangeKind.DELETE), change(2))

    assert ann.next()["kind"] == "delete"
    assert bob.seqs(1) == [2]


def test_seqs_strictly_increase_on_every_socket_under_two_writers(stage: Stage) -> None:
    clients = [stage.connect(name) for name in ("ann", "bob", "ann")]
    commit_lock, seqs = threading.Lock(), itertools.count(1)

    def write(owner: str) -> None:
        for _ in range(250):
            with commit_lock:  # as the store does: listeners run one commit at a time, in seq order
                stage.publish(change(next(seqs), owner=owner))

    writers = [threading.Thread(target=write, args=(owner,)) for owner in ("*", "ann")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stage.publish(change(501))

    for client in clients:
        received = list(itertools.takewhile(lambda seq: seq != 501, (m["seq"] for m in client.messages())))
        assert received == sorted(set(received))
        assert len(received) == (500 if client.subprotocol == "bearer.ann" else 250)


def test_an_event_delivered_twice_to_the_hub_is_sent_once(stage: Stage) -> None:
    client = stage.connect()

    stage.publish(change(1), change(2))
    stage.publish(change(1), change(2), change(3))

    assert client.seqs(3) == [1, 2, 3]


def test_an_event_is_encoded_once_however_many_see_it(make_stage: Callable[..., Stage]) -> None:
    projected: list[str] = []

    def project(entity: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        projected.append(row["id"])
        return visible_fields(entity, row)

    stage = make_stage(project=project)
    clients = [stage.connect(name) for name in ("ann", "bob", "eve", "ann")]

    stage.publish(change(1), change(2, owner="ann"))

    for client in clients:
        client.next()
    assert clients[0].next()["seq"] == clients[3].next()["seq"] == 2
    assert projected == ["n1", "n2"]


def test_a_policy_that_fails_closes_its_audience_and_nobody_else(make_stage: Callable[..., Stage]) -> None:
    class Failing(OwnerPolicy):
        def may_read(self, entity: str, auth: AuthContext, row: Mapping[str, Any]) -> bool:
            if auth.user_id == "bob" and row["id"] == "n2":
                raise ZeroDivisionError
            return super().may_read(entity, auth, row)

    stage = make_stage(policy=Failing())
    ann, bob = stage.connect("ann"), stage.connect("bob")

    stage.publish(change(1))
    assert bob.seqs(1) == [1]
    stage.publish(change(2), change(3))

    assert bob.close_code() == 1011
    assert ann.seqs(3) == [1, 2, 3]


def test_a_row_that_is_not_json_closes_those_who_may_read_it(stage: Stage) -> None:
    ann, bob = stage.connect("ann"), stage.connect("bob")

    stage.publish(change(1, owner="ann", title="\ud800"), change(2))

    assert ann.close_code() == 1011
    assert bob.seqs(1) == [2]
