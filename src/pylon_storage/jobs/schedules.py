"""The ``ScheduleStore`` in the application's own database, on either engine. Any thread may call it."""

from collections.abc import Mapping

from pylon_core.clock import Clock
from pylon_http.jobs import NewJob
from pylon_http.schedules import ScheduleEntry, ScheduleStore
from pylon_storage.jobs import transitions
from pylon_storage.statements import Tables, TableStatements

_ENTRIES = "SELECT name, spec, next_ms, last_ms FROM _pylon_schedules"
_KEEP = (
    "INSERT INTO _pylon_schedules (name, spec, next_ms) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET spec = excluded.spec, next_ms = excluded.next_ms WHERE _pylon_schedules.spec <> excluded.spec"
)
_DROP = "DELETE FROM _pylon_schedules WHERE name = ?"
_ADVANCE = (
    "UPDATE _pylon_schedules SET next_ms = ?, last_ms = coalesce(?, last_ms)"
    " WHERE name = ? AND spec = ? AND next_ms = ? RETURNING name"
)


class SqlScheduleStore:
    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def keep(self, entries: Mapping[str, tuple[str, int]]) -> None:
        def work(statements: TableStatements) -> None:
            for name, *_ in statements.all(_ENTRIES):
                if name not in entries:
                    statements.all(_DROP, (name,))
            for name, (spec, next_ms) in sorted(entries.items()):
                statements.all(_KEEP, (name, spec, next_ms))

        self._tables.write_briefly(work)

    def entries(self) -> Mapping[str, ScheduleEntry]:
        with self._tables.reading() as statements:
            return {name: ScheduleEntry(*entry) for name, *entry in statements.all(_ENTRIES)}

    def advance(self, name: str, seen: ScheduleEntry, next_ms: int, due: tuple[int, NewJob] | None) -> bool:
        now_ms = self._clock.now_ns() // 1_000_000

        def work(statements: TableStatements) -> bool:
            last_ms = None if due is None else due[0]
            if statements.one(_ADVANCE, (next_ms, last_ms, name, seen.spec, seen.next_ms)) is None:
                return False
            if due is not None:
                transitions.enqueue(statements, due[1], now_ms)
            return True

        return self._tables.write_briefly(work)


_: type[ScheduleStore] = SqlScheduleStore
