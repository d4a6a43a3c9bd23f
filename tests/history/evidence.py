"""A history and its end, and what follows from them, worked out once for all rules. Pure."""

from collections.abc import Callable, Iterator
from functools import cached_property

from tests.history.history import (
    Accepted,
    Called,
    Event,
    FinalState,
    History,
    Invoked,
    Key,
    LogEntry,
    Queued,
    Settled,
    Typed,
    tag_of,
)
from tests.history.model import events_for
from tests.history.shared_text import ENTITY, FIELD, marks_of


class Evidence:
    """History and end, and what follows from them, worked out once."""

    def __init__(self, history: History, final: FinalState) -> None:
        self.history = history
        self.final = final
        self.log = final.log
        self.invoked = {record.tag: record for record in history.of(Invoked)}
        self.calls = {record.tag: record for record in history.of(Called)}

    @cached_property
    def queued(self) -> dict[str, Queued]:
        return {record.tag: record for record in self.history.of(Queued)}

    @cached_property
    def settled(self) -> dict[str, Settled]:
        """The first word on each write, by its tag; repeated ones are told again."""
        tags = {record.op_id: tag for tag, record in self.queued.items()}
        found: dict[str, Settled] = {}
        for record in self.history.of(Settled):
            tag = record.tag or tags.get(record.op_id)
            if tag is not None:
                found.setdefault(tag, record)
        return found

    @cached_property
    def aliases(self) -> dict[Key, str]:
        """What became of ids that clients gave to rows and the server did not keep."""
        return {
            (self.invoked[tag].entity, queued.row_id): self.settled[tag].row_id
            for tag, queued in self.queued.items()
            if tag in self.settled and self.invoked[tag].kind == "insert"
        }

    def key_of(self, entity: str, row_id: str) -> Key:
        return entity, self.aliases.get((entity, row_id), row_id)

    @cached_property
    def entries(self) -> dict[str, LogEntry]:
        """By tag; deletes and counters have none."""
        return {tag_of(entry.row): entry for entry in self.log if entry.row is not None and "tag" in entry.row}

    @cached_property
    def deletes(self) -> dict[Key, LogEntry]:
        return {entry.key: entry for entry in self.log if entry.row is None}

    def entry_of(self, tag: str) -> LogEntry | None:
        """Where in the log the write is."""
        invoked = self.invoked.get(tag)
        if invoked is not None and invoked.kind == "delete":
            return self.deletes.get(self.key_of(invoked.entity, invoked.row_id or ""))
        return self.entries.get(tag)

    def applied(self) -> Iterator[tuple[str, Settled]]:
        return ((tag, record) for tag, record in self.settled.items() if record.outcome == "applied")

    @cached_property
    def events(self) -> dict[str, list[Event]]:
        """By client: what its user may see of the log."""
        of_users = {user: events_for(user, self.log) for user in set(self.history.viewers.values())}
        return {client: of_users[user] for client, user in self.history.viewers.items()}

    @cached_property
    def typed(self) -> dict[str, Typed]:
        return {record.tag: record for record in self.history.of(Typed)}

    @cached_property
    def accepted_at(self) -> dict[str, float]:
        """When an editor first heard that the server has an insertion."""
        found: dict[str, float] = {}
        for record in self.history.of(Accepted):
            for tag in record.tags:
                found.setdefault(tag, record.at)
        return found

    @cached_property
    def pages(self) -> list[tuple[int, str]]:
        """The versions of the shared text in the log, with their seqs."""
        return [
            (entry.seq, str(entry.row[FIELD]))
            for entry in self.log
            if entry.entity == ENTITY and entry.row is not None
        ]

    @cached_property
    def marks(self) -> dict[str, int]:
        """The seq with which an insertion came into the text."""
        found: dict[str, int] = {}
        for seq, text in self.pages:
            for mark in marks_of(text):
                found.setdefault(mark, seq)
        return found


Rule = Callable[[Evidence], Iterator[str]]
