"""Slots are counted per peer and the count forgets peers without any."""

from pylon_runtime.hub.peers import PeerSlots


def test_a_peer_has_so_many_slots_and_gets_them_back() -> None:
    slots = PeerSlots(per_peer_max=2)

    with (
        slots.claim("a") as first,
        slots.claim("a") as second,
        slots.claim("a") as third,
        slots.claim("b") as other,
    ):
        assert (first, second, third, other) == (True, True, False, True)
    with slots.claim("a") as again:
        assert again


def test_peers_that_left_take_no_memory() -> None:
    slots = PeerSlots(per_peer_max=1)

    for number in range(100):
        with slots.claim(f"10.0.0.{number}"), slots.claim(f"10.0.0.{number}"):
            pass

    assert not slots._taken
