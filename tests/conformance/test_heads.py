"""A state of the store knows the newest change that it has: what was read in it and what follows meet exactly."""

from contextlib import suppress

from pylon_http import DataError, DataStore, TxStore


def test_a_state_has_the_changes_up_to_its_head(store: DataStore) -> None:
    with store.read() as reader:
        assert reader.head() == 0

    for _ in range(2):
        store.transact(add)
        with store.read() as reader:
            assert reader.head() == store.head() == store.changes(0, 10).head


def test_the_head_does_not_move_while_a_state_is_read(store: DataStore) -> None:
    store.transact(add)
    with store.read() as reader:
        before = reader.head()
        store.transact(add)

        assert reader.head() == before

    with store.read() as reader:
        assert reader.head() == before + 1


def test_what_is_rolled_back_has_no_seq(store: DataStore) -> None:
    store.transact(add)
    before = store.head()

    def work(tx: TxStore) -> None:
        with suppress(DataError), tx.savepoint():
            add(tx)
            tx.insert("Note", {"title": None})

    store.transact(work)

    with store.read() as reader:
        assert reader.head() == before


def add(tx: TxStore) -> None:
    tx.insert("Note", {"title": "x"})
