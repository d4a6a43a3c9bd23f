"""Groups: many threads, few commits; everybody is answered; faults strike where they are aimed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_http import DataError, Filter, TxStore
from pylon_storage import NoFaults, SqliteStore
from pylon_storage.faults import ArmedFaults, FaultPoints, parse_faults

MANIFEST = parse_manifest(
    '{"manifest_version": 1, "name": "g", "version": "1", "routes": [], "entities": [{"name": "Note",'
    ' "indexes": [], "fields": [{"name": "text", "type": "string", "optional": false, "unique": false}]}]}'
)


def open_store(path: Path, faults: FaultPoints | None = None) -> SqliteStore:
    return SqliteStore(path, MANIFEST, watched={}, visibility="", clock=SystemClock(), faults=faults or NoFaults())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "group.db")
    yield store
    store.close()


def insert(store: SqliteStore, text: str) -> None:
    store.transact(lambda tx: tx.insert("Note", {"text": text}))


def test_work_that_gathers_while_one_thread_leads_is_committed_together(store: SqliteStore) -> None:
    commits: list[int] = []
    store.subscribe(lambda events: commits.append(len(events)))
    leading, go_on = threading.Event(), threading.Event()

    def slow(tx: TxStore) -> None:
        tx.insert("Note", {"text": "leader"})
        leading.set()
        assert go_on.wait(10)

    leader = threading.Thread(target=store.transact, args=(slow,))
    leader.start()
    assert leading.wait(10)
    others = [threading.Thread(target=insert, args=(store, f"n{number}")) for number in range(20)]
    for thread in others:
        thread.start()
    while len(store._committer._queue) < 20:
        assert leader.is_alive()
    go_on.set()
    for thread in (leader, *others):
        thread.join(10)

    assert sum(commits) == 21
    assert len(commits) <= 2


def test_each_thread_gets_its_own_result_or_its_own_error(store: SqliteStore) -> None:
    results: dict[int, object] = {}

    def run(number: int) -> None:
        def work(tx: TxStore) -> int:
            tx.insert("Note", {"text": str(number)})
            if number % 3 == 0:
                raise LookupError(number)
            return number

        try:
            results[number] = store.transact(work)
        except LookupError as error:
            results[number] = error.args[0] * 1000

    threads = [threading.Thread(target=run, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert results == {number: number * 1000 if number % 3 == 0 else number for number in range(60)}
    with store.read() as reader:
        kept = {int(row["text"]) for row in reader.query("Note", Filter())}
    assert kept == {number for number in range(60) if number % 3}
    assert [event.seq for event in store.changes(0, 100).events] == list(range(1, 41))


def test_even_an_interrupt_raised_by_work_reaches_its_own_thread_and_frees_the_rest(store: SqliteStore) -> None:
    def interrupted(tx: TxStore) -> None:
        tx.insert("Note", {"text": "ghost"})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.transact(interrupted)
    insert(store, "after")

    assert [event.row_id for event in store.changes(0, 10).events] != []
    assert store.head() == 1


def test_closing_waits_for_running_work_and_answers_everybody(tmp_path: Path) -> None:
    store = open_store(tmp_path / "closing.db")
    running, outcomes = threading.Event(), []

    def work(tx: TxStore) -> None:
        running.set()
        tx.insert("Note", {"text": "in flight"})

    def run() -> None:
        try:
            store.transact(work)
            outcomes.append("stored")
        except DataError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert running.wait(10)
    store.close()
    for thread in threads:
        thread.join(10)

    assert len(outcomes) == 10
    assert set(outcomes) <= {"stored", "NOT_AVAILABLE"}
    reopened = open_store(tmp_path / "closing.db")
    assert reopened.head() == outcomes.count("stored")
    reopened.close()


def test_seqs_go_on_after_a_restart(tmp_path: Path) -> None:
    first = open_store(tmp_path / "restart.db")
    for number in range(3):
        insert(first, str(number))
    first.close()

    second = open_store(tmp_path / "restart.db")
    insert(second, "later")
    seqs = [event.seq for event in second.changes(0, 10).events]
    second.close()

    assert seqs == [1, 2, 3, 4]


class _PowerCut(BaseException):
    pass


@pytest.mark.parametrize(
    ("point", "stored"),
    [("store.before_commit", False), ("store.after_commit", True), ("store.before_publish", True)],
)
def test_faults_strike_at_their_point_and_only_the_nth_time(tmp_path: Path, point: str, stored: bool) -> None:
    def cut() -> None:
        raise _PowerCut

    store = open_store(tmp_path / "fault.db", ArmedFaults({point: 2}, cut))
    insert(store, "first")
    with pytest.raises(_PowerCut):
        insert(store, "second")
    store.close()

    copy = open_store(tmp_path / "fault.db")
    assert copy.head() == (2 if stored else 1)
    copy.close()


def test_a_database_that_cannot_be_announced_after_a_failed_commit_is_opened_once_more(tmp_path: Path) -> None:
    def fail() -> None:
        raise apsw.IOError("sync failed")

    store = open_store(tmp_path / "reopen.db", ArmedFaults({"store.before_commit": 2}, fail))
    heard: list[int] = []
    store.subscribe(lambda events: heard.extend(event.seq for event in events))
    refusals: list[BaseException] = [DataError("NOT_AVAILABLE", "Out of descriptors.")]
    announce = store._committer._on_reopen

    def out_of_descriptors() -> None:
        if refusals:
            raise refusals.pop()
        announce()

    store._committer._on_reopen = out_of_descriptors
    insert(store, "first")
    with pytest.raises(DataError) as unknown:
        insert(store, "unknown")
    with pytest.raises(DataError) as unavailable:
        insert(store, "refused")
    insert(store, "well again")
    store.close()

    assert (unknown.value.code, unavailable.value.code) == ("COMMIT_FAILED", "NOT_AVAILABLE")
    assert heard == [1, 2]


def test_faults_are_read_from_text() -> None:
    struck: list[str] = []
    faults = parse_faults("a:1,b.c:2")
    assert isinstance(faults, ArmedFaults)
    faults._act = lambda: struck.append("x")

    faults.hit("b.c")
    faults.hit("elsewhere")
    assert struck == []
    faults.hit("b.c")
    faults.hit("a")
    assert struck == ["x", "x"]
    assert isinstance(parse_faults(""), NoFaults)
