"""The client that follows an app in development: always of the newest state, never two at once."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from pylon_cli.codegen.keeper import ClientKeeper
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from tests.pylon_cli.codegen.apps import SHOP

NEWEST = SHOP.model_copy(update={"name": "newest"})


class Writer:
    """Writes when it is let, one after the other."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.may_end = threading.Semaphore(0)
        self.problems: SimpleQueue[str] = SimpleQueue()
        self.fails = False
        self.keeper = ClientKeeper(self.write, lambda error: self.problems.put(error.code), SystemClock())

    def write(self, manifest: AppManifest) -> None:
        self.begun.put(manifest.name)
        assert self.may_end.acquire(timeout=10)
        if self.fails:
            raise PylonError("CODEGEN_CLIENT_WRITE_FAILED", "No.")


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.may_end.release(10)
    writer.keeper.stop()


def test_of_those_wanted_while_one_is_written_only_the_newest_is(writer: Writer) -> None:
    writer.keeper.renew(SHOP)
    assert writer.begun.get(timeout=10) == SHOP.name

    for manifest in (SHOP, SHOP, NEWEST):
        writer.keeper.renew(manifest)
    writer.may_end.release()

    assert writer.begun.get(timeout=10) == "newest"
    assert writer.begun.empty()


def test_one_that_cannot_be_written_is_told_and_the_next_is_tried(writer: Writer) -> None:
    writer.fails = True
    writer.may_end.release(2)
    for _ in range(2):
        writer.keeper.renew(SHOP)
        assert writer.problems.get(timeout=10) == "CODEGEN_CLIENT_WRITE_FAILED"


def test_once_stopped_none_is_written(writer: Writer) -> None:
    writer.keeper.stop()

    writer.keeper.renew(SHOP)

    assert writer.begun.empty()
    assert "client-keeper" not in {thread.name for thread in threading.enumerate()}
