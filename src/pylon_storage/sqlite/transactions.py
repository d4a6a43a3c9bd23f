"""A transaction on SQLite: one piece of work of a group. Of the thread that leads the committer."""

from collections.abc import Callable, Iterable

from pylon_storage.catalog import Catalog
from pylon_storage.rows import SqlTx
from pylon_storage.sqlite.recent_changes import Key
from pylon_storage.sqlite.statements import GroupStatements
from pylon_storage.sqlite.write_group import WriteGroup


class SqliteTx(SqlTx):
    def __init__(self, group: WriteGroup, catalog: Catalog, new_id: Callable[[], str]) -> None:
        super().__init__(GroupStatements(group), group, catalog, new_id)
        self._group = group

    def changed_since(self, seq: int) -> Iterable[Key] | None:
        """The rows that changed behind a seq, those of this transaction's own group among them; ``None`` when that
        is too long ago to be known."""
        return self._group.changed_since(seq)
