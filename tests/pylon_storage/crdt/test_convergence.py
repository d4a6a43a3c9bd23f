"""Replicas that edit at the same time, a server that writes JSON in between: in the end all say the same, and no
edit that others did not touch is lost. On both engines."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_http import DataStore
from tests.support.documents import Replica, insert, manifest, said_by, stored_value
from tests.support.engines import ENGINES


@pytest.fixture(scope="module", params=ENGINES)
def store(request: pytest.FixtureRequest) -> Iterator[DataStore]:
    opened = ENGINES[request.param](manifest(), {})
    yield opened
    opened.close()


WORDS = st.text("ab ü𝄞", min_size=1, max_size=6)
EDITS = st.one_of(
    st.tuples(st.just("type"), st.integers(0, 40), WORDS),
    st.tuples(st.just("erase"), st.integers(0, 40), st.integers(1, 5)),
    st.tuples(st.just("rank"), st.integers(-5, 5)),
    st.tuples(st.just("like"), st.integers(1, 5)),
    st.tuples(st.just("tag"), st.integers(0, 9), WORDS),
    st.tuples(st.just("step"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("node"), WORDS),
)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "body": st.none() | WORDS,
        "rank": st.none() | st.integers(-5, 5),
        "likes": st.integers(0, 9),
        "tags": st.none() | st.lists(WORDS, max_size=4),
        "steps": st.lists(st.integers(0, 9), max_size=4),
        "outline": st.just([]),
    },
)


def edit(replica: Replica, what: tuple[Any, ...]) -> None:
    doc = replica.doc
    match what:
        case ("type", at, word):
            text = doc.get_text("body")
            text.insert(min(at, text.len_unicode), word)
        case ("erase", at, count):
            text = doc.get_text("body")
            at = min(at, text.len_unicode)
            text.delete(at, min(count, text.len_unicode - at))
        case ("rank", value):
            doc.get_map("row").insert("rank", float(value))
        case ("like", count):
            doc.get_counter("likes").increment(count)
        case ("tag", at, word):
            tags = doc.get_list("tags")
            tags.insert(min(at, len(tags)), word)
        case ("step", at, value):
            steps = doc.get_movable_list("steps")
            steps.insert(min(at, len(steps)), float(value))
            steps.mov(0, len(steps) - 1)
        case ("node", name):
            tree = doc.get_tree("outline")
            tree.get_meta(tree.create()).insert("name", name)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_replicas_and_row_converge(store: DataStore, data: st.DataObject) -> None:
    row_id = insert(store, body="start", likes=1, tags=["t"], steps=[1])
    since = store.head()
    replicas = [Replica(store, row_id) for _ in range(3)]

    for _ in range(data.draw(st.integers(1, 10))):
        who = data.draw(st.integers(0, 3))
        if who == 3:
            patch = data.draw(PATCHES)
            store.transact(lambda tx, patch=patch: tx.update("Note", row_id, patch))  # type: ignore[misc]
            continue
        edit(replicas[who], data.draw(EDITS))
        if data.draw(st.booleans()):
            replicas[who].post()
        if data.draw(st.booleans()):
            update = replicas[who].edits()
            replicas[who].receive(since)
            store.transact(lambda tx, update=update: tx.merge("Note", row_id, update))  # type: ignore[misc]
    for replica in data.draw(st.permutations(replicas)):
        replica.post()
    for replica in replicas:
        replica.receive(since)

    said = [replica.value() for replica in replicas]
    assert said == [stored_value(store, row_id)] * 3
    row = store.get("Note", row_id)
    assert row is not None
    assert (row["body"] or "", row["tags"] or [], row["steps"]) == (
        said[0]["body"],
        said[0]["tags"],
        said[0]["steps"],
    )
    assert (row["rank"], row["likes"]) == (said[0]["row"].get("rank"), said[0]["likes"])
    assert len(row["outline"] or []) == len(said[0]["outline"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6))
def test_no_disjoint_edit_is_lost(store: DataStore, edits: list[tuple[int, int]]) -> None:
    row_id = insert(store, body="one|two|three")
    replicas = [Replica(store, row_id) for _ in range(3)]
    words = []

    for number, (who, place) in enumerate(edits):
        text = replicas[who].doc.get_text("body")
        at = [0, text.to_string().index("|"), text.len_unicode][place]
        words.append(f"<{number}>")
        text.insert(at, words[-1])
    for replica in replicas:
        replica.post()

    row = store.get("Note", row_id)
    assert row is not None
    assert all(word in row["body"] for word in words)
    assert "one" in row["body"] and "three" in row["body"]  # noqa: PT018


def test_writers_at_the_same_time_lose_nothing(store: DataStore) -> None:
    """Four clients and two writers of JSON, each on a thread, all on one document."""
    row_id = insert(store, body="", likes=0)
    since = store.head()
    failures: list[BaseException] = []

    def client(name: str) -> None:
        replica = Replica(store, row_id)
        for number in range(6):
            replica.doc.get_text("body").insert(0, f"{name}{number} ")
            replica.doc.get_counter("likes").increment(1)
            replica.post()

    def writer(field: str) -> None:
        for number in range(6):
            store.transact(lambda tx, number=number: tx.update("Note", row_id, {field: number}))  # type: ignore[misc]

    def guarded(work: Any, argument: str) -> None:
        try:
            work(argument)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    jobs = [(client, name) for name in "abcd"] + [(writer, "rank"), (writer, "score")]
    threads = [threading.Thread(target=guarded, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    row = store.get("Note", row_id)
    assert row is not None
    assert sorted(row["body"].split()) == sorted(f"{name}{number}" for name in "abcd" for number in range(6))
    assert (row["likes"], row["rank"], row["score"]) == (24, 5, 5.0)
    late = Replica(store, row_id)
    late.receive(since)
    assert late.value() == stored_value(store, row_id)
    assert said_by(late.doc)["row"]["rank"] == 5.0
