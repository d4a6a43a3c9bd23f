"""What must hold of readers of the event stream, which write down all they take. Pure.

Each stream and each pull is held to the rules for sockets and pulls (``checker.py``); here is what a reader
makes of them, over all its lives and streams.
"""

from collections.abc import Iterator

from tests.history.evidence import Evidence, Rule


def a_tape_has_every_visible_event_once_and_in_order(known: Evidence) -> Iterator[str]:
    for reader, tape in known.final.tapes.items():
        expected = known.events[reader]
        for place, (got, wanted) in enumerate(zip(tape, expected, strict=False)):
            if got != wanted:
                yield f"{reader} took as number {place} {got}, which should be {wanted}"
                break
        else:
            if len(tape) != len(expected):
                yield f"{reader} took {len(tape)} events, and there are {len(expected)}"


STREAM_RULES: tuple[Rule, ...] = (a_tape_has_every_visible_event_once_and_in_order,)
