"""Holders take turns, and each gets its own in order."""

from pylon_runtime.hub.fair_queue import FairQueue


def queue_of(*items: str) -> FairQueue[str]:
    """Each item is its holder's, whose name it begins with."""
    queue = FairQueue[str]()
    for item in items:
        queue.put(item, item[:1])
    return queue


def rest(queue: FairQueue[str]) -> list[str]:
    items: list[str] = []
    while queue._lines:
        item = queue.take()
        assert item is not None
        items.append(item)
    return items


def test_holders_take_turns() -> None:
    queue = queue_of("a1", "a2", "a3", "b1", "c1", "b2")

    assert rest(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_comes_later_waits_for_one_of_each_other() -> None:
    queue = queue_of("a1", "a2", "a3", "b1")
    assert queue.take() == "a1"

    queue.put("c1", "c")

    assert rest(queue) == ["b1", "a2", "c1", "a3"]


def test_what_is_for_several_waits_in_the_shortest_line() -> None:
    queue = queue_of("a1", "a2", "b1")

    queue.put("of both", ("a", "b"))

    assert rest(queue) == ["a1", "b1", "a2", "of both"]


def test_what_is_discarded_does_not_come_and_leaves_nothing() -> None:
    queue = queue_of("a1", "b1", "a2")

    for item in ("a1", "b1", "never put", "a1"):
        queue.discard(item)

    assert rest(queue) == ["a2"]
    assert not queue._holders


def test_nothing_comes_of_a_closed_one() -> None:
    queue = queue_of("a1")

    queue.close()

    assert queue.take() is None
