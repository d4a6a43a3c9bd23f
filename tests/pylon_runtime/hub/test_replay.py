"""From its registration on, a socket gets a gapless stretch of what it may see, whatever happens in between.

The dispatcher is driven round by round over socket pairs with tiny buffers, so the interleavings of appends,
registrations, rounds, slow reads and departures are hypothesis's choice, and a failure prints them.
"""

import socket
from collections.abc import Callable

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pylon_http import ChangeKind
from pylon_runtime.hub import HubLimits
from pylon_runtime.hub.audience import FrameSource
from pylon_runtime.hub.connection import Connection
from pylon_runtime.hub.dispatcher import Dispatcher
from pylon_runtime.hub.log import EventLog
from pylon_runtime.hub.mailbox import Mailbox
from pylon_runtime.hub.relay import RelayQueue
from tests.pylon_runtime.hub.harness import OwnerPolicy, SetClock, Stage, change, user, visible_fields

NAMES = ["ann", "bob"]
REPLAY_S = 10.0
SLICE_EVENTS = 3


def test_events_of_the_last_minute_are_sent_on_open(stage: Stage) -> None:
    stage.publish(change(1), change(2, owner="bob"), change(3))

    client = stage.connect("ann")
    stage.publish(change(4))

    assert client.seqs(3) == [1, 3, 4]


def test_older_events_are_not(make_stage: Callable[..., Stage]) -> None:
    clock = SetClock()
    stage = make_stage(clock=clock)
    stage.publish(change(1))
    clock.seconds = 61.0
    stage.publish(change(2))

    assert stage.connect("ann").seqs(1) == [2]


def test_sockets_opened_amid_a_stream_of_writes_have_no_gap(stage: Stage) -> None:
    for seq in range(1, 301):
        stage.publish(change(seq, text="x" * 500))
        if seq % 30 == 0:
            stage.connect_raw("ann")

    assert [client.seqs(300) for client in stage.clients] == [list(range(1, 301))] * 10


class Viewer:
    """One connection and what its client has read so far."""

    def __init__(self, connection: Connection, client: socket.socket, joined_after: int, joined_at: float) -> None:
        self.connection = connection
        self.client = client
        self.name = str(connection.auth.user_id)
        self.joined_after = joined_after
        self.joined_at = joined_at
        self.received = b""
        self.has_left = False

    def read(self, size: int) -> int:
        try:
            data = self.client.recv(size)
        except BlockingIOError:
            return 0
        self.received += data
        return len(data)

    def frames(self) -> tuple[list[tuple[int, str]], int | None]:
        """Seq and kind of each complete event, and the close code if there is one."""
        events: list[tuple[int, str]] = []
        at, data = 0, self.received
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if start + size > len(data):
                break
            if data[at] == 0x88:
                assert start + size == len(data), "something follows the close frame"
                return events, int.from_bytes(data[start : start + 2], "big")
            assert data[at] in (0x81, 0x89), "a frame begins in the middle of another"
            if data[at] == 0x81:
                message = msgspec.json.decode(data[start : start + size])
                if "seq" in message:
                    events.append((message["seq"], message["kind"]))
            at = start + size
        return events, None


class HubMachine(RuleBasedStateMachine):
    @initialize(log_events_max=st.sampled_from([8, 1000]))
    def begin(self, log_events_max: int) -> None:
        self.log_is_roomy = log_events_max == 1000
        limits = HubLimits(
            log_events_max=log_events_max,
            replay_s=REPLAY_S,
            stall_s=1000.0,
            close_grace_s=1000.0,
            chunk_bytes_max=2000,
            slice_events_max=SLICE_EVENTS,
            ping_interval_s=3.0,
            tick_s=1.0,
        )
        self.clock = SetClock()
        self.mailbox = Mailbox()
        self.log = EventLog(limits.log_events_max, limits.log_bytes_max)
        relays = RelayQueue(limits.relay_backlog_bytes_max)
        source = FrameSource(self.log, OwnerPolicy(), visible_fields, limits)
        self.dispatcher = Dispatcher(self.mailbox, self.log, relays, source, limits, self.clock)
        self.history: list[tuple[int, float, dict[str, str]]] = []
        self.viewers: list[Viewer] = []

    @rule(
        owners=st.lists(st.tuples(st.sampled_from([*NAMES, "*"]), st.sampled_from([*NAMES, None])), max_size=4),
        size=st.sampled_from([10, 300, 3000]),
    )
    def append(self, owners: list[tuple[str, str | None]], size: int) -> None:
        events = []
        for owner, owner_before in owners:
            seq = len(self.history) + 1
            before = None if owner_before is None else {"owner": owner_before}
            events.append(change(seq, owner=owner, before=before, text="x" * size))
            seen = {name: "update" for name in NAMES if owner in ("*", name)}
            if owner_before is not None:
                seen.setdefault(owner_before, "delete")
            self.history.append((seq, self.clock.seconds, seen))
        self.log.append(events, self.clock.seconds)

    @rule(owner=st.sampled_from(NAMES))
    def delete(self, owner: str) -> None:
        seq = len(self.history) + 1
        self.log.append([change(seq, owner=owner, kind=ChangeKind.DELETE)], self.clock.seconds)
        self.history.append((seq, self.clock.seconds, {owner: "delete"}))

    @rule(name=st.sampled_from(NAMES))
    def join(self, name: str) -> None:
        server, client = socket.socketpair()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        client.setblocking(False)
        number = len(self.viewers)
        connection = Connection(number, user(name), name, server, self.clock.seconds)
        self.viewers.append(Viewer(connection, client, len(self.history), self.clock.seconds))
        self.mailbox.post(lambda: self.dispatcher.join(connection))
        self.go_round()

    @rule()
    def go_round(self) -> None:
        self.mailbox.ring()
        self.dispatcher.go_round()

    @rule(data=st.data(), size=st.sampled_from([1, 100, 5000]))
    def read(self, data: st.DataObject, size: int) -> None:
        if self.viewers:
            data.draw(st.sampled_from(self.viewers)).read(size)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.viewers:
            viewer = data.draw(st.sampled_from(self.viewers))
            if not viewer.has_left:
                viewer.has_left = True
                self.mailbox.post(lambda: self.dispatcher.leave(viewer.connection))

    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds
        for viewer in self.viewers:
            viewer.connection.heard = self.clock.seconds

    @invariant()
    def what_arrived_is_a_stretch_without_gap(self) -> None:
        for viewer in getattr(self, "viewers", []):
            received, _ = viewer.frames()
            visible = [(seq, seen[viewer.name]) for seq, _, seen in self.history if viewer.name in seen]
            if received:
                start = visible.index(received[0])
                assert received == visible[start : start + len(received)]

    def teardown(self) -> None:
        if not hasattr(self, "viewers"):
            return
        self._settle()
        for viewer in self.viewers:
            self._check_complete(viewer)
            if not viewer.has_left:
                self.dispatcher.leave(viewer.connection)
        self._settle()
        assert all(viewer.connection.released.acquire(blocking=False) for viewer in self.viewers)
        assert not self.dispatcher.connections
        self.dispatcher.stop(self.clock.seconds)
        self.dispatcher.run()
        for viewer in self.viewers:
            viewer.connection.sock.close()
            viewer.client.close()

    def _settle(self) -> None:
        """Read and go round until nothing moves any more; a round may pass over a few hidden events."""
        idle = 0
        while idle < 3 + len(self.history) / SLICE_EVENTS:
            self.go_round()
            idle = 0 if sum(viewer.read(1 << 20) for viewer in self.viewers) else idle + 1

    def _check_complete(self, viewer: Viewer) -> None:
        received, code = viewer.frames()
        if viewer.has_left or code is not None:
            assert code in (None, 1013)
            assert code is None or not self.log_is_roomy, "closed for lag within a roomy log"
            return
        since = viewer.joined_at - REPLAY_S
        due = [
            (seq, seen[viewer.name])
            for seq, arrived, seen in self.history
            if viewer.name in seen and (seq > viewer.joined_after or (arrived >= since and self.log_is_roomy))
        ]
        assert received[len(received) - len(due) :] == due


TestHubMachine = HubMachine.TestCase
TestHubMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
