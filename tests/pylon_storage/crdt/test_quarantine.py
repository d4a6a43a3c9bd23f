"""Hostile bytes end, at worst, the process that reads them: they are refused, and the next update is merged."""

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import loro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_http import DataError
from pylon_storage.crdt import quarantined
from pylon_storage.crdt.quarantine import Quarantine
from tests.support.quarantines import quarantine_pids

_MASK = 0xFFFFFFFF
_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
_SEED = int.from_bytes(b"LORO", "little")


def xxh32(data: bytes, seed: int) -> int:
    def rot(value: int, count: int) -> int:
        return (value << count | value >> (32 - count)) & _MASK

    at = 0
    if len(data) >= 16:
        lanes = [(seed + _P1 + _P2) & _MASK, (seed + _P2) & _MASK, seed, (seed - _P1) & _MASK]
        while at <= len(data) - 16:
            for lane in range(4):
                word = int.from_bytes(data[at : at + 4], "little")
                lanes[lane] = rot((lanes[lane] + word * _P2) & _MASK, 13) * _P1 & _MASK
                at += 4
        value = sum(rot(lane, shift) for lane, shift in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    else:
        value = (seed + _P5) & _MASK
    value = (value + len(data)) & _MASK
    while at + 4 <= len(data):
        value = rot((value + int.from_bytes(data[at : at + 4], "little") * _P3) & _MASK, 17) * _P4 & _MASK
        at += 4
    for byte in data[at:]:
        value = rot((value + byte * _P5) & _MASK, 11) * _P1 & _MASK
    value = (value ^ value >> 15) * _P2 & _MASK
    value = (value ^ value >> 13) * _P3 & _MASK
    return value ^ value >> 16


def sealed(update: bytes) -> bytes:
    """With the checksum that belongs to the bytes, so that they are looked into."""
    return update[:16] + xxh32(update[20:], _SEED).to_bytes(4, "little") + update[20:]


def document() -> loro.LoroDoc:
    doc = loro.LoroDoc()  # type: ignore[no-untyped-call]  # its stub says nothing of it
    doc.get_map("row").insert("title", "t")
    doc.get_text("body").insert(0, "hello world")
    doc.get_movable_list("steps").insert(0, 1.0)
    doc.get_tree("outline").create()
    doc.commit()
    return doc


def an_edit(doc: loro.LoroDoc) -> bytes:
    """Made in a copy."""
    copy = doc.fork()
    before = copy.oplog_vv
    copy.get_text("body").insert(3, "edit")
    copy.get_map("row").insert("title", "new")
    copy.get_movable_list("steps").set(0, 2.0)
    copy.commit()
    return copy.export(loro.ExportMode.Updates(before))


@pytest.fixture(scope="module")
def quarantine() -> Iterator[Quarantine]:
    opened = Quarantine()
    yield opened
    opened.close()


BASE = document()
SNAPSHOT = BASE.export(loro.ExportMode.Snapshot())
EDIT = an_edit(BASE)


def works(quarantine: Quarantine) -> bool:
    merged = quarantine.merge(SNAPSHOT, EDIT)
    assert merged is not None
    doc = loro.LoroDoc()  # type: ignore[no-untyped-call]
    doc.import_(merged)
    return doc.get_text("body").to_string() == "heleditlo world"


def refused(quarantine: Quarantine, update: bytes) -> str:
    with pytest.raises(DataError) as caught:
        quarantine.merge(SNAPSHOT, update)
    return caught.value.code


def test_the_checksum_of_these_tests_is_loros() -> None:
    assert sealed(EDIT) == EDIT
    assert sealed(SNAPSHOT) == SNAPSHOT


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_come_they_are_merged_or_refused(quarantine: Quarantine, data: st.DataObject) -> None:
    update = bytearray(data.draw(st.sampled_from([EDIT, SNAPSHOT])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(20, len(update) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                update[at] = data.draw(st.integers(0, 255))
            case "cut":
                del update[at : at + data.draw(st.integers(1, 8))]
            case _:
                update[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        if len(update) <= 21:
            break

    try:
        merged = quarantine.merge(SNAPSHOT, sealed(bytes(update)))
    except DataError as error:
        assert error.code in ("CRDT_DECODE_FAILED", "PAYLOAD_TOO_LARGE", "NOT_AVAILABLE")  # noqa: PT017
    else:
        if merged is not None:
            doc = loro.LoroDoc()  # type: ignore[no-untyped-call]
            doc.import_(merged)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_is_refused(quarantine: Quarantine, noise: bytes) -> None:
    assert refused(quarantine, noise) == "CRDT_DECODE_FAILED"
    assert refused(quarantine, sealed(b"loro" + bytes(16) + noise)) == "CRDT_DECODE_FAILED"


def nested(depth: int) -> bytes:
    """An update with a value that deep; made by hand where Loro's own code would overflow the stack."""
    update: list[bytes] = []

    def build() -> None:
        value: object = 1
        for _ in range(depth):
            value = [value]
        doc = BASE.fork()
        before = doc.oplog_vv
        doc.get_map("row").insert("title", value)  # type: ignore[arg-type]
        doc.commit()
        update.append(doc.export(loro.ExportMode.Updates(before)))

    limit, size = sys.getrecursionlimit(), threading.stack_size(512 * 1024 * 1024)
    thread = threading.Thread(target=build)
    try:
        sys.setrecursionlimit(10 * depth + 1000)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    return update[0]


@pytest.mark.parametrize("depth", [65, 1_000, 5_000])
def test_values_that_nest_deep_are_refused(quarantine: Quarantine, depth: int) -> None:
    assert refused(quarantine, nested(depth)) == "CRDT_DECODE_FAILED"
    assert works(quarantine)


def test_values_that_nest_a_little_are_not(quarantine: Quarantine) -> None:
    assert quarantine.merge(SNAPSHOT, nested(60)) is not None


def test_what_takes_too_long_is_ended_and_the_next_is_merged() -> None:
    quarantine = Quarantine(merge_s=1.0)
    assert works(quarantine)
    doc = BASE.fork()
    before = doc.oplog_vv
    rng = random.Random(1)
    text = doc.get_text("body")
    for _ in range(300_000):
        text.insert(rng.randrange(text.len_unicode + 1), "x")
    doc.commit()
    update = doc.export(loro.ExportMode.Updates(before))

    assert refused(quarantine, update) == "NOT_AVAILABLE"
    assert works(quarantine)
    quarantine.close()


def test_a_history_that_takes_long_to_play_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quarantined.merge(SNAPSHOT, EDIT, 1_000_000)[0] == b"merged"
    monkeypatch.setattr(quarantined, "PLAY_SECONDS", 0.0)

    assert quarantined.merge(SNAPSHOT, EDIT, 1_000_000) == (b"too large", b"")


def test_a_large_paste_is_merged_in_time(quarantine: Quarantine) -> None:
    doc = BASE.fork()
    before = doc.oplog_vv
    doc.get_text("body").insert(3, "lorem ipsum " * 80_000)
    doc.commit()

    assert quarantine.merge(SNAPSHOT, doc.export(loro.ExportMode.Updates(before))) is not None


def test_operations_of_the_far_future_are_refused(quarantine: Quarantine) -> None:
    doc = BASE.fork()
    doc.get_text("body").insert(0, "x" * 1_000_000)
    doc.commit()
    before = doc.oplog_vv
    doc.get_text("body").insert(0, "y")
    doc.commit()

    assert refused(quarantine, doc.export(loro.ExportMode.Updates(before))) == "CRDT_DECODE_FAILED"


class Stuck:
    """A process that is merging until it is over, and then was for too long."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.over = threading.Event()

    def exchange(self, *_: object) -> tuple[bytes, bytes]:
        self.entered.set()
        self.over.wait(20)
        raise TimeoutError


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Stuck:
    stuck = Stuck()
    monkeypatch.setattr("pylon_storage.crdt.quarantine._Process.exchange", stuck.exchange)
    return stuck


def test_a_process_that_was_killed_while_idle_costs_no_update() -> None:
    before = set(quarantine_pids())
    quarantine = Quarantine()
    assert works(quarantine)
    (pid,) = set(quarantine_pids()) - before
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert works(quarantine)
    quarantine.close()


def test_whoever_keeps_others_waiting_waits_for_no_other_merge(stuck: Stuck) -> None:
    quarantine = Quarantine()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(refused, quarantine, EDIT)
        assert stuck.entered.wait(10)

        with pytest.raises(DataError) as caught:
            quarantine.merge(SNAPSHOT, EDIT, 0.05)

        assert caught.value.code == "NOT_AVAILABLE"
        assert not slow.done()
        stuck.over.set()
        assert slow.result() == "NOT_AVAILABLE"
    quarantine.close()


def test_only_so_many_threads_wait_for_a_merge(stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pylon_storage.crdt.quarantine.WAITING_MAX", 1)
    quarantine = Quarantine(merge_s=60)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(refused, quarantine, EDIT)
        assert stuck.entered.wait(10)

        assert refused(quarantine, EDIT) == "NOT_AVAILABLE"

        assert not slow.done()
        stuck.over.set()
    quarantine.close()


def test_it_knows_none_of_the_servers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYLON_ADMIN_TOKEN", "DATABASE_URL", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "the-secret")
    before = set(quarantine_pids())
    quarantine = Quarantine()
    assert works(quarantine)
    (pid,) = set(quarantine_pids()) - before

    assert b"the-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    quarantine.close()


def test_a_closed_one_refuses_and_closes_twice() -> None:
    quarantine = Quarantine()
    assert works(quarantine)
    quarantine.close()
    quarantine.close()

    assert refused(quarantine, EDIT) == "NOT_AVAILABLE"
