"""What waits for clients that do not read: held once, bounded for all together, and not for ever."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import structs

from pylon_runtime.hub import Documents, Hub, HubLimits
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.unsent import UnsentBytes
from tests.pylon_runtime.hub.harness import OwnerPolicy, SetClock, Stage, change
from tests.support.sockets import WAIT_S, WireClient
from tests.support.waiting import until

MB = 1_000_000


class Shelf:
    """Documents by row id; everybody may read them. ``reading`` is called while one is read."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.reading: Callable[[], None] = lambda: None

    @contextmanager
    def read(self) -> Iterator["Shelf"]:
        yield self
        self.reading()

    def get(self, _entity: str, row_id: str, /) -> Mapping[str, Any] | None:
        return {"id": row_id, "owner": "*"}

    def document(self, _entity: str, row_id: str, /) -> bytes | None:
        return self.documents[row_id]

    def transact(self, work: Callable[[Any], Any], /) -> Any:
        raise AssertionError("every row has a document")


class ReadingRoom(Stage):
    def __init__(self, limits: HubLimits, clock: SetClock | None) -> None:
        self.shelf = Shelf()
        super().__init__(limits, clock=clock, feed=self._feed, send_buffer=16_384)

    def _feed(self, hub: Hub) -> Documents:
        return Documents(hub, self.shelf, OwnerPolicy(), {"Note"}, self.clock)

    def not_reading(self, name: str, row_id: str) -> WireClient:
        """A client that has asked for a document, of which the kernel has taken what it takes."""
        before = self._blocked()
        client = self.connect(name, receive_buffer=4096)
        subscribe(client, row_id)
        until(lambda: bool(self._blocked() - before), "the document")
        return client

    def _blocked(self) -> set[Connection]:
        return set(self.hub._dispatcher._writer.blocked)

    def go_round(self) -> None:
        """The dispatcher looks whom to close after its calls; the second of two comes after such a look."""
        for _ in range(2):
            self.hub.await_call(lambda: None)

    @property
    def unsent(self) -> int:
        return self.hub.stats().unsent_bytes

    @property
    def closed(self) -> int:
        return self.hub.stats().closed_for_lag


Opener = Callable[..., ReadingRoom]


@pytest.fixture
def open_room() -> Iterator[Opener]:
    rooms: list[ReadingRoom] = []

    def make(*, clock: SetClock | None = None, **limits: Any) -> ReadingRoom:
        rooms.append(ReadingRoom(HubLimits(**limits), clock))
        return rooms[-1]

    yield make
    for room in rooms:
        room.close()


def subscribe(client: WireClient, row_id: str) -> None:
    client.say({"type": "crdt-subscribe", "entity": "Note", "rowId": row_id})


# Once


def test_equal_bytes_are_held_once_and_counted_until_the_last_has_let_go() -> None:
    held, one, equal = UnsentBytes(), bytes(bytearray(1_000)), bytes(bytearray(1_000))

    assert held.hold(one) is one
    assert held.hold(equal) is one
    assert held.total == 2 * held.share(one) > 1_000
    held.give_back(equal)
    assert held.total == held.share(one)
    held.give_back(one)

    assert held.total == 0


def test_a_document_waits_once_for_all_who_do_not_read_it(open_room: Opener) -> None:
    room = open_room()
    room.shelf.documents["n1"] = b"x" * MB

    clients = [room.not_reading(f"user {number}", "n1") for number in range(10)]

    assert MB < room.unsent < 1.1 * MB
    assert [len(client.next_binary()) > MB for client in clients] == [True] * 10
    until(lambda: room.unsent == 0, "the last byte's being taken")


def test_what_waits_behind_a_document_is_counted_with_it(open_room: Opener) -> None:
    room = open_room()
    room.shelf.documents["n1"] = b"x" * MB
    clients = [room.not_reading(name, "n1") for name in ("ann", "bob")]

    for seq in range(1, 5):
        room.publish(structs.replace(change(seq, row_id="n1"), delta=b"%d" % seq * 100_000))

    until(lambda: 1.4 * MB < room.unsent < 1.5 * MB, "the additions")
    for client in clients:
        client.drop()
    until(lambda: room.unsent == 0, "their end")


def test_few_documents_are_in_readers_hands_at_once(open_room: Opener) -> None:
    room = open_room(documents_read_at_once_max=2)
    room.shelf.documents["n1"] = b"doc"
    asked, may_end = threading.Semaphore(0), threading.Event()
    inside: list[str] = []
    peak = 0

    def reading() -> None:
        nonlocal peak
        inside.append("one more")
        peak = max(peak, len(inside))
        assert may_end.wait(WAIT_S)
        inside.pop()

    serve = room.hub.messages["crdt-subscribe"]

    def serve_noting(connection: Connection, message: Mapping[str, Any]) -> None:
        asked.release()
        serve(connection, message)

    room.shelf.reading = reading
    room.hub.messages["crdt-subscribe"] = serve_noting
    clients = [room.connect(f"user {number}") for number in range(8)]
    for client in clients:
        subscribe(client, "n1")
    for _ in clients:
        assert asked.acquire(timeout=WAIT_S)
    in_a_while = time.monotonic() + 0.2
    until(lambda: peak > 2 or time.monotonic() > in_a_while, "a reading too many")
    may_end.set()

    assert [client.next_binary()[-3:] for client in clients] == [b"doc"] * 8
    assert peak == 2


# Not too much


def test_when_too_much_waits_whoever_holds_most_is_closed(open_room: Opener) -> None:
    room = open_room(unsent_bytes_max=3_500_000, close_grace_s=10)
    room.shelf.documents |= {"small": b"s" * MB, "large": b"l" * 2 * MB, "another": b"a" * MB}
    small, large = room.not_reading("ann", "small"), room.not_reading("bob", "large")
    room.go_round()
    assert room.closed == 0

    another = room.not_reading("cid", "another")

    assert large.close_code() == 1013
    assert [len(client.next_binary()) > MB for client in (small, another)] == [True] * 2
    assert room.closed == 1


def test_sharing_a_document_counts_for_less_than_having_one_alone(open_room: Opener) -> None:
    room = open_room(unsent_bytes_max=3 * MB, close_grace_s=10)
    room.shelf.documents |= {"shared": b"s" * 2 * MB, "own": b"o" * MB}
    sharing = [room.not_reading(f"user {number}", "shared") for number in range(4)]

    alone = room.not_reading("ann", "own")

    assert alone.close_code() == 1013
    assert [len(client.next_binary()) > 2 * MB for client in sharing] == [True] * 4


def test_twice_too_much_is_not_waited_for(open_room: Opener) -> None:
    room = open_room(unsent_bytes_max=2 * MB, close_grace_s=60)

    for number in range(10):
        room.shelf.documents[f"n{number}"] = b"%d" % number * MB
        before = room.hub.stats().frames_sent
        subscribe(room.connect(f"user {number}", receive_buffer=4096), f"n{number}")
        until(lambda: room.hub.stats().frames_sent > before, "the document")  # noqa: B023 - called at once
        room.go_round()
        assert room.unsent <= 4 * MB

    assert room.closed == 9


# Not for ever


@pytest.mark.parametrize(("bytes_per_s_min", "closed"), [(1_000, 0), (1_000_000, 1)], ids=["enough", "too slowly"])
def test_who_goes_on_reading_too_slowly_is_closed(open_room: Opener, bytes_per_s_min: float, closed: int) -> None:
    clock = SetClock()
    room = open_room(clock=clock, bytes_per_s_min=bytes_per_s_min, stall_s=10)
    room.shelf.documents["n1"] = b"x" * 8 * MB
    client = room.not_reading("ann", "n1")
    (connection,) = room.hub._dispatcher.connections

    for _ in range(4):
        read_some(client, connection)
        clock.seconds += 4
        room.go_round()

    assert room.closed == closed


def read_some(client: WireClient, connection: Connection) -> None:
    """Until the kernel has taken more."""
    taken = connection.taken
    while connection.taken == taken:
        client.sock.recv(65_536)
