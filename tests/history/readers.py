"""Readers of the event stream as processes."""

import sys
from pathlib import Path

from tests.history.history import Event, History
from tests.history.puppet import Identity, Puppet, event_of


class ReaderProcess(Puppet):
    def tape(self) -> list[Event]:
        """All it ever took, in this life and in those before."""
        return [event_of(change) for change in self.ask({"do": "read"})["events"]]


def reader(identity: Identity, folder: Path, port: int, history: History) -> ReaderProcess:
    return ReaderProcess([sys.executable, "-m", "tests.history.reader"], identity, folder, port, history)
