"""How sockets end: by their session, by silence, by the server's stop; and that nothing stays behind."""

import gc
import os
import threading
import time
from collections.abc import Callable

from msgspec import structs

from pylon_auth import NEVER_NS
from pylon_core.clock import SystemClock
from pylon_http import Request
from pylon_runtime.hub import Hub, HubLimits, SocketIdentity
from tests.pylon_runtime.hub.harness import (
    OwnerPolicy,
    SetClock,
    Stage,
    change,
    sign_in_by_header,
    sign_in_by_subprotocol,
    user,
    visible_fields,
)
from tests.support.waiting import until


def test_a_session_that_ends_takes_its_sockets_with_it(stage: Stage) -> None:
    first, second, other = stage.connect("ann"), stage.connect("ann"), stage.connect("bob")

    stage.hub.close_session("session-ann", 1012)
    stage.publish(change(1))

    assert (first.close_code(), second.close_code()) == (1012, 1012)
    assert other.seqs(1) == [1]


def test_sockets_end_with_their_sessions_lifetime_without_any_traffic(make_stage: Callable[..., Stage]) -> None:
    ends = {"ann": 100, "bob": 200}
    clock = SetClock()

    def lasting(sign_in: Callable[[Request], SocketIdentity]) -> Callable[[Request], SocketIdentity]:
        def identify(request: Request) -> SocketIdentity:
            identity = sign_in(request)
            assert identity.auth is not None
            return structs.replace(identity, expires_ns=ends.get(str(identity.auth.user_id), NEVER_NS))

        return identify

    stage = make_stage(
        HubLimits(tick_s=0.01),
        clock=clock,
        authenticate=lasting(sign_in_by_subprotocol),
        authenticate_stream=lasting(sign_in_by_header),
    )
    ann, stream_of_ann, bob, eve = (
        stage.connect("ann"),
        stage.open_stream("ann"),
        stage.connect("bob"),
        stage.connect("eve"),
    )

    clock.wall_ns, clock.seconds = 100, 1.0
    assert ann.close_code() == 1008
    assert list(stream_of_ann.messages()) == []
    stage.publish(change(1))
    assert bob.seqs(1) == [1]

    clock.wall_ns, clock.seconds = 200, 2.0
    assert bob.close_code() == 1008
    clock.wall_ns, clock.seconds = NEVER_NS - 1, 3.0
    stage.publish(change(2))
    assert eve.seqs(2) == [1, 2]


def test_the_hub_tells_who_is_connected(stage: Stage) -> None:
    for name in ("ann", "ann", "bob"):
        stage.connect(name)

    assert stage.hub.identities(timeout_s=10) == {user("ann"), user("bob")}


def test_a_hub_that_does_not_run_knows_of_nobody() -> None:
    hub = Hub(OwnerPolicy(), visible_fields, HubLimits(), SystemClock())

    assert hub.identities(timeout_s=0) == set()


def test_nothing_but_the_end_follows_a_close_frame(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(close_grace_s=60))
    client = stage.connect("ann")

    stage.hub.close_session("session-ann", 1008)
    stage.publish(change(1))

    assert client.everything() == []
    assert client.closed_with == 1008
    assert client.sock.recv(100) == b""


def test_a_ping_is_answered(stage: Stage) -> None:
    client = stage.connect()

    assert client.ping(b"are you there") == b"are you there"


def test_a_silent_connection_is_closed_and_one_that_answers_stays(make_stage: Callable[..., Stage]) -> None:
    clock = SetClock()
    stage = make_stage(HubLimits(ping_interval_s=25, tick_s=0.01), clock=clock)
    silent, alive = stage.connect("ann"), stage.connect("bob")

    for seconds in (25.0, 50.0, 75.0):
        clock.seconds = seconds
        alive.await_ping()
        assert alive.ping(b"still here") == b"still here"

    assert silent.close_code() == 1001
    assert silent.pings == 2
    assert stage.hub.stats().connections == 2
    silent.drop()
    until(lambda: stage.hub.stats().connections == 1)


def test_the_stop_closes_every_socket_and_ends_the_threads(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    clients = [stage.connect(name) for name in ("ann", "bob", "eve")]
    codes: list[int | None] = []

    def answer() -> None:
        for client in clients:
            codes.append(client.close_code())
            client.drop()

    peer = threading.Thread(target=answer)
    peer.start()
    started = time.monotonic()
    stage.hub.stop(stage.clock.monotonic() + 5)
    peer.join()

    assert codes == [1001, 1001, 1001]
    assert time.monotonic() - started < 2
    assert "hub-dispatcher" not in {thread.name for thread in threading.enumerate()}
    stage.hub.stop(stage.clock.monotonic() + 5)
    assert stage.connect_raw("ann").close_code() == 1001


class StoppingClock(SystemClock):
    """Holds the dispatcher up between two rounds, where it looks at the time, while ``go_on`` is clear."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def monotonic(self) -> float:
        if not self.go_on.is_set() and threading.current_thread().name == "hub-dispatcher":
            self.held.set()
            self.go_on.wait(10)
        return super().monotonic()


def test_what_was_published_before_the_stop_is_delivered_before_the_close(
    make_stage: Callable[..., Stage],
) -> None:
    clock = StoppingClock()
    stage = make_stage(HubLimits(close_grace_s=60, tick_s=0.01), clock=clock)
    client = stage.connect("ann")
    clock.go_on.clear()
    assert clock.held.wait(10)

    stage.publish(change(1))
    stopper = threading.Thread(target=stage.hub.stop, args=(clock.monotonic() + 5,))
    stopper.start()
    until(lambda: bool(stage.hub._mailbox._calls), "the stop to be posted")
    clock.go_on.set()

    assert [message["seq"] for message in client.messages()] == [1]
    assert client.closed_with == 1001
    client.drop()
    stopper.join()


def test_the_stop_does_not_wait_for_peers_beyond_its_deadline(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(HubLimits(close_grace_s=60), send_buffer=1)
    stuck = stage.connect("ann", receive_buffer=4096)
    stage.publish(change(1, text="x" * 5_000_000))
    started = time.monotonic()

    stage.hub.stop(stage.clock.monotonic() + 0.3)

    assert time.monotonic() - started < 2
    assert stage.hub.stats().connections == 0
    stuck.drop()


def test_a_hub_may_be_stopped_twice_before_it_was_started_and_publishes_into_nothing() -> None:
    clock = SystemClock()
    hub = Hub(OwnerPolicy(), visible_fields, HubLimits(), clock)

    hub.stop(clock.monotonic())
    hub.stop(clock.monotonic())
    hub.start()
    hub.publish([change(1)])

    assert "hub-dispatcher" not in {thread.name for thread in threading.enumerate()}


def test_nothing_stays_behind_after_many_connections(stage: Stage) -> None:
    stage.connect("ann").leave()
    until(lambda: stage.hub.stats().connections == 0)
    stage.listener.join_workers()
    gc.collect()
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))

    for index in range(200):
        client = stage.connect_raw("bad" if index % 5 == 0 else "ann")
        if index % 3:
            client.leave()
        else:
            client.drop()

    stage.listener.join_workers()
    until(lambda: stage.hub.stats().connections == 0)
    until(lambda: threading.active_count() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= files


def test_a_fault_in_the_dispatcher_sends_everybody_away_and_it_goes_on(stage: Stage) -> None:
    before = stage.connect("ann")

    stage.hub.post(lambda: [].pop())

    assert before.close_code() == 1011
    after = stage.connect("ann")
    stage.publish(change(1))
    assert after.seqs(1) == [1]
