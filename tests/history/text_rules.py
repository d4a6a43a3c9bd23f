"""What must hold of a text that several people edit at the same time, through everything that breaks. Pure.

Marks are never deleted. So every version of the text, wherever it turns up, is made of marks that somebody put
there, each one once, and is the later version with some of them left out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.history.evidence import Evidence, Rule
from tests.history.history import Gap, Read
from tests.history.shared_text import is_whole, marks_of


def every_insertion_is_in_the_text_once(known: Evidence) -> Iterator[str]:
    """Also those that no answer came for: what an editor said is saved is sent until the server has it."""
    counts = Counter(_final_marks(known))
    for tag, typed in known.typed.items():
        if counts[tag] != 1:
            accepted = "accepted" if tag in known.accepted_at else "never accepted"
            yield f"{tag} of {typed.client}, {accepted}, is {counts[tag]} times in the text"


def nothing_is_in_the_text_that_nobody_typed(known: Evidence) -> Iterator[str]:
    for seq, text in known.pages:
        marks = marks_of(text)
        if not is_whole(text, marks):
            yield f"at {seq} the text is not made of marks: {text}"
        yield from (f"nobody typed {mark}, in the text at {seq}" for mark in marks if mark not in known.typed)


def each_version_of_the_text_keeps_those_before(known: Evidence) -> Iterator[str]:
    for (before_seq, before), (seq, text) in pairwise(known.pages):
        lost = _lost(marks_of(before), marks_of(text))
        if lost is not None:
            yield f"{lost} was in the text at {before_seq}, and at {seq} it is not, or elsewhere"


def an_insertion_stands_where_it_was_typed(known: Evidence) -> Iterator[str]:
    places = {mark: place for place, mark in enumerate(_final_marks(known))}
    for tag, typed in known.typed.items():
        around = [mark for mark in (typed.after, tag, typed.before) if mark is not None]
        found = [places[mark] for mark in around if mark in places]
        if found != sorted(found):
            yield f"{tag} was typed between {typed.after} and {typed.before}, and is not there"


def readers_see_versions_of_the_text_with_all_their_own(known: Evidence) -> Iterator[str]:
    final = _final_marks(known)
    own: dict[str, list[tuple[float, str]]] = {}
    for tag, typed in known.typed.items():
        own.setdefault(typed.client, []).append((typed.saved_at, tag))
    for read in known.history.of(Read):
        marks = marks_of(read.text)
        shown = set(marks)
        lost = _lost(marks, final)
        if lost is not None:
            yield f"{read.client} saw {lost}, which is not in the text, or elsewhere"
        for saved_at, tag in own.get(read.client, []):
            if saved_at < read.asked_at and tag not in shown:
                yield f"{read.client} did not see its own {tag}"


def document_feeds_have_no_gaps(known: Evidence) -> Iterator[str]:
    for record in known.history.of(Gap):
        yield f"{record.client} (life {record.life}): {record.what} builds on what never came"


def everybody_has_the_same_text(known: Evidence) -> Iterator[str]:
    final = "".join(f"[{mark}]" for mark in _final_marks(known))
    for who, text in known.final.texts.items():
        if text != final:
            yield f"{who} says {text}, the row says {final}"
    if known.final.untold:
        yield f"{known.final.untold} editors have something to send still"


def _final_marks(known: Evidence) -> list[str]:
    return marks_of(known.pages[-1][1]) if known.pages else []


def _lost(marks: Sequence[str], later: Sequence[str]) -> str | None:
    """The first of the marks that does not come in its order in the later text."""
    remaining = iter(later)
    return next((mark for mark in marks if mark not in remaining), None)


TEXT_RULES: tuple[Rule, ...] = (
    every_insertion_is_in_the_text_once,
    nothing_is_in_the_text_that_nobody_typed,
    each_version_of_the_text_keeps_those_before,
    an_insertion_stands_where_it_was_typed,
    readers_see_versions_of_the_text_with_all_their_own,
    document_feeds_have_no_gaps,
    everybody_has_the_same_text,
)
