"""Transactions tried out beside each other: what settles is what would have happened one after the other."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pylon_core.manifest import AppManifest
from pylon_http import DataError, Filter, NeedsTransaction, Outcome, RerunRefused, Trial, TxStore
from pylon_http.where import equal
from pylon_storage import EphemeralStore
from pylon_storage.sqlite.recent_changes import CHANGES_MAX

MANIFEST = AppManifest.model_validate(
    {"manifest_version": 1, "name": "trials", "version": "1", "routes": [], "entities": [
        {"name": name, "crdt": False, "indexes": [], "fields": [
            {"name": "n", "type": "int", "optional": False, "unique": False},
            {"name": "tag", "type": "string", "optional": True, "unique": True}]} for name in ("A", "B")]}
)  # fmt: skip


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    store = EphemeralStore(MANIFEST, watched={})
    yield store
    store.close()


def numbers(store: EphemeralStore, entity: str = "A") -> dict[str, int]:
    with store.read() as reader:
        return {row["id"]: row["n"] for row in reader.query(entity, Filter())}


def add(store: EphemeralStore, row_id: str, n: int = 0, entity: str = "A") -> None:
    store.transact(lambda tx: tx.insert(entity, {"n": n}, row_id))


def test_it_sees_its_own_writes_and_nobody_else_does_before_it_is_settled(store: EphemeralStore) -> None:
    add(store, "1")
    with store.try_out() as trial:
        made = trial.insert("A", {"n": 5})
        trial.update("A", "1", {"n": 1})
        seen = [trial.get("A", made["id"]), trial.get("A", "1"), trial.delete("A", made["id"])]
        gone = trial.get("A", made["id"])
        before = numbers(store)
    store.transact(trial.settle)

    assert [row and row["n"] for row in seen[:2]] == [5, 1]  # type: ignore[index]
    assert (seen[2], gone) == (True, None)
    assert before == {"1": 0}
    assert numbers(store) == {"1": 1}


def test_settled_writes_are_in_the_log_like_any_others(store: EphemeralStore) -> None:
    with store.try_out() as trial:
        row = trial.insert("A", {"n": 5})
    store.transact(trial.settle)

    (event,) = store.changes(0, 10).events
    assert (event.row_id, event.row) == (row["id"], row)


@pytest.mark.parametrize(
    ("look", "is_refused"),
    [
        (lambda trial: trial.get("A", "1"), True),
        (lambda trial: trial.get("A", "new"), True),
        (lambda trial: trial.get("A", "2"), False),
        (lambda trial: trial.query("A", Filter(where=equal("n", 7))), True),
        (lambda trial: trial.count("A", Filter()), True),
        (lambda trial: trial.query("B", Filter()), False),
    ],
    ids=["changed row", "row made meanwhile", "other row", "query", "count", "other entity"],
)
def test_what_it_saw_must_not_have_changed(store: EphemeralStore, look: Any, is_refused: bool) -> None:
    add(store, "1")
    add(store, "2")
    with store.try_out() as trial:
        look(trial)
        trial.insert("B", {"n": 1})
    store.transact(lambda tx: tx.update("A", "1", {"n": 1}))
    add(store, "new")

    if is_refused:
        with pytest.raises(RerunRefused):
            store.transact(trial.settle)
    else:
        store.transact(trial.settle)

    assert len(numbers(store, "B")) == (0 if is_refused else 1)


def test_a_value_that_is_taken_at_the_end_is_for_the_next_attempt_to_hear_of(store: EphemeralStore) -> None:
    with store.try_out() as trial:
        trial.insert("A", {"n": 1, "tag": "x"})
    store.transact(lambda tx: tx.insert("A", {"n": 2, "tag": "x"}))

    with pytest.raises(RerunRefused):
        store.transact(trial.settle)

    assert list(numbers(store).values()) == [2]


def test_what_makes_no_sense_is_refused_at_once(store: EphemeralStore) -> None:
    with store.try_out() as trial:
        with pytest.raises(DataError) as unknown:
            trial.insert("A", {"nope": 1})
        with pytest.raises(DataError) as missing:
            trial.insert("A", {})
        nobody = trial.update("A", "nobody", {"n": 1}), trial.delete("A", "nobody")
    store.transact(trial.settle)

    assert (unknown.value.code, missing.value.code) == ("INVALID_COLUMN", "INSERT_FAILED")
    assert nobody == (None, False)
    assert not trial.has_written


@pytest.mark.parametrize("too_many", [0, 1])
def test_more_changes_by_others_than_are_known_refuse_a_trial(store: EphemeralStore, too_many: int) -> None:
    with store.try_out() as trial:
        trial.insert("B", {"n": 1})

    def flood(tx: TxStore) -> None:
        for n in range(CHANGES_MAX + too_many):
            tx.insert("A", {"n": n})

    store.transact(flood)

    if too_many:
        with pytest.raises(RerunRefused):
            store.transact(trial.settle)
    else:
        store.transact(trial.settle)


def test_a_reset_refuses_every_trial_that_began_before(store: EphemeralStore) -> None:
    add(store, "1")
    with store.try_out() as trial:
        trial.get("A", "1")
        trial.insert("B", {"n": 1})
    store.reset()

    with pytest.raises(RerunRefused):
        store.transact(trial.settle)


def test_a_change_by_work_of_the_same_group_refuses_a_trial(store: EphemeralStore) -> None:
    row_id = store.transact(lambda tx: tx.insert("A", {"n": 1})["id"])
    with store.try_out() as trial:
        trial.get("A", row_id)
        trial.insert("B", {"n": 1})
    outcomes: list[Outcome[Any]] = []

    store.submit(lambda tx: tx.update("A", row_id, {"n": 2}), outcomes.append)
    store.submit(trial.settle, outcomes.append)
    store.flush()

    assert outcomes[0].get()["n"] == 2
    with pytest.raises(RerunRefused):
        outcomes[1].get()


def test_a_look_at_all_rows_of_what_it_has_written_needs_a_transaction(store: EphemeralStore) -> None:
    with store.try_out() as trial:
        trial.insert("A", {"n": 1})
        assert trial.query("B", Filter()) == []
        for impossible in (lambda: trial.query("A", Filter()), trial.savepoint, lambda: trial.recall("s", "o")):
            with pytest.raises(NeedsTransaction):
                impossible()

    def go_on(tx: TxStore) -> int:
        trial.settle(tx)
        return tx.count("A", Filter())

    assert store.transact(go_on) == 1


KEYS = st.sampled_from(["A1", "A2", "B1"])
STEP = st.one_of(
    st.tuples(st.sampled_from(["get", "delete", "insert"]), KEYS),
    st.tuples(st.just("update"), KEYS, st.integers(1, 3)),
    st.tuples(st.just("all"), st.sampled_from(["A", "B"])),
)
SCRIPTS = st.lists(st.lists(STEP, min_size=1, max_size=5), min_size=2, max_size=4)


def do(tx: TxStore, step: tuple[Any, ...]) -> Any:
    """One step; what the handler of a function would see of it."""
    match step:
        case ("all", entity):
            return [(row["id"], row["n"]) for row in tx.query(entity, Filter())]
        case ("get", key):
            row = tx.get(key[0], key)
            return row and row["n"]
        case ("update", key, n):
            row = tx.get(key[0], key)
            return row and tx.update(key[0], key, {"n": row["n"] + n}) is not None
        case ("delete", key):
            return tx.delete(key[0], key)
        case ("insert", key):
            return tx.get(key[0], key) is None and bool(tx.insert(key[0], {"n": 0}, key))
    raise AssertionError(step)


@settings(max_examples=150, deadline=None)
@given(scripts=SCRIPTS, data=st.data())
def test_whatever_settles_could_have_run_alone(scripts: list[list[tuple[Any, ...]]], data: st.DataObject) -> None:
    store, alone = EphemeralStore(MANIFEST, watched={}), EphemeralStore(MANIFEST, watched={})
    try:
        for each in (store, alone):
            add(each, "A1")
            add(each, "B1", entity="B")
        running = [_Running(store, script) for script in scripts]
        while running:
            one = data.draw(st.sampled_from(running))
            if not one.has_ended:
                one.step()
                continue
            running.remove(one)
            if one.settle():
                seen = alone.transact(lambda tx, one=one: [do(tx, step) for step in one.done])  # type: ignore[misc]
                assert seen == one.seen
        for entity in ("A", "B"):
            assert numbers(store, entity) == numbers(alone, entity)
    finally:
        store.close()
        alone.close()


class _Running:
    """A script that is tried out a step at a time."""

    def __init__(self, store: EphemeralStore, script: list[tuple[Any, ...]]) -> None:
        self._store = store
        self._rest = list(script)
        self._trying = store.try_out()
        self._trial: Trial = self._trying.__enter__()
        self._needs_transaction = False
        self.done: list[tuple[Any, ...]] = []
        self.seen: list[Any] = []

    @property
    def has_ended(self) -> bool:
        return not self._rest or self._needs_transaction

    def step(self) -> None:
        try:
            self.seen.append(do(self._trial, self._rest[0]))
        except NeedsTransaction:
            self._needs_transaction = True
        else:
            self.done.append(self._rest.pop(0))

    def settle(self) -> bool:
        """With what is left of the script done in the transaction itself; whether it was accepted."""
        self._trying.__exit__(None, None, None)

        def work(tx: TxStore) -> list[Any]:
            self._trial.settle(tx)
            return [do(tx, step) for step in self._rest]

        try:
            self.seen += self._store.transact(work)
        except RerunRefused:
            return False
        self.done += self._rest
        return True
