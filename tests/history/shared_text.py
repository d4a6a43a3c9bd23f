"""A text that several people edit: a Loro document with marks in it, each of which stands for one insertion.

A mark is inserted in one piece between two others and never deleted, so whoever knows the marks can tell from a
text who inserted what, how often, and between what. One thread at a time uses a ``SharedText``.
"""

import re
from collections.abc import Sequence

from loro import ExportMode, LoroDoc, VersionVector

ENTITY, FIELD = "Page", "body"
_MARK = re.compile(r"\[([^\[\]]+)\]")


class SharedText:
    """``held``: what the server is known to have. A copy begins with a peer id of its own."""

    def __init__(self, saved: bytes | None = None) -> None:
        self._doc = _document()
        self.held = self._doc.oplog_vv
        if saved is not None:
            self._doc.import_(saved)

    def type(self, tag: str, place: float) -> tuple[str | None, str | None]:
        """Put a mark into it, so far from the beginning (0 to 1); the marks on both sides of it."""
        text = self._doc.get_text(FIELD)
        marks = marks_of(text.to_string())
        number = round(place * len(marks))
        before, after = marks[:number], marks[number:]
        text.insert(sum(len(mark) + 2 for mark in before), f"[{tag}]")
        self._doc.commit()
        return (before[-1] if before else None), (after[0] if after else None)

    def take_whole(self, payload: bytes) -> bool:
        """What the server has, and so all that it has; whether nothing was missing."""
        theirs = _document()
        is_complete = theirs.import_(payload).pending is None
        self.held.merge(theirs.oplog_vv)
        return self._doc.import_(payload).pending is None and is_complete

    def take(self, payload: bytes) -> bool:
        """What was added; whether nothing was missing that it builds on."""
        return self._doc.import_(payload).pending is None

    def version(self) -> VersionVector:
        return self._doc.oplog_vv

    def is_held(self) -> bool:
        return bool(self.held.includes_vv(self._doc.oplog_vv))

    def unsent(self) -> bytes:
        return self._doc.export(ExportMode.Updates(self.held))

    def saved(self) -> bytes:
        return self._doc.export(ExportMode.Snapshot())

    def says(self) -> str:
        return self._doc.get_text(FIELD).to_string()


def marks_of(text: str) -> list[str]:
    return _MARK.findall(text)


def is_whole(text: str, marks: Sequence[str]) -> bool:
    """Whether there is nothing in it but these."""
    return text == "".join(f"[{mark}]" for mark in marks)


def _document() -> LoroDoc:
    return LoroDoc()  # type: ignore[no-untyped-call]  # of the binding
