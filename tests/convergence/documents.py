"""A client's copy of a row's document: edited by hand, merged with what the server sends, sent in pieces.

One thread uses it.
"""

from dataclasses import dataclass
from typing import Any, Literal

from loro import ExportMode, LoroDoc, VersionVector

TEXT_FIELD = "body"
PLAIN_FIELD = "title"


class ClientDocument:
    """Says nothing of the row before the server's first frame has come."""

    def __init__(self) -> None:
        self._doc = LoroDoc()  # type: ignore[no-untyped-call]  # of the binding
        self._sent: VersionVector = self._doc.oplog_vv
        self.has_begun = False
        self.is_clean = True
        """Whether everything in it is known to the server."""

    def merge(self, payload: bytes) -> None:
        was_sent = self.is_clean
        self._doc.import_(payload)
        self.has_begun = True
        if was_sent:
            self._sent = self._doc.oplog_vv

    def write(self, position: int, text: str) -> None:
        """Put a text into the collaborative field; position modulo its length."""
        field = self._doc.get_text(TEXT_FIELD)
        field.insert(position % (field.len_unicode + 1), text)
        self._commit()

    def cut(self, position: int) -> None:
        field = self._doc.get_text(TEXT_FIELD)
        if field.len_unicode:
            field.delete(position % field.len_unicode, 1)
            self._commit()

    def rename(self, text: str) -> None:
        self._doc.get_map("row").insert(PLAIN_FIELD, text)
        self._commit()

    def unsent(self) -> bytes:
        return self._doc.export(ExportMode.Updates(self._sent))

    def note_sent(self) -> None:
        self._sent = self._doc.oplog_vv
        self.is_clean = True

    def says(self) -> dict[str, Any]:
        """The fields of the row that are edited here."""
        title: Any = self._doc.get_map("row").get(PLAIN_FIELD)
        return {
            TEXT_FIELD: self._doc.get_text(TEXT_FIELD).to_string(),
            PLAIN_FIELD: None if title is None else title.value,
        }

    def _commit(self) -> None:
        self._doc.commit()
        self.is_clean = False


@dataclass(frozen=True)
class Edit:
    """What one of those who edit a document does, or, with a ``patch``, somebody else does to its row."""

    who: int
    kind: Literal["write", "cut", "rename"]
    position: int
    is_sent: bool
    patch: dict[str, Any] | None

    def on(self, document: ClientDocument) -> None:
        match self.kind:
            case "write":
                document.write(self.position, "ab"[self.position % 2])
            case "cut":
                document.cut(self.position)
            case "rename":
                document.rename("xyz"[self.position % 3])
