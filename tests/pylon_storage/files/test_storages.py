"""What every storage must hold: exact bytes, nothing readable too early, nothing left of what was given up."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_http import DataError
from pylon_storage.files import local
from pylon_storage.files.s3 import PART_BYTES, PIECE_BYTES
from tests.support.file_storages import Place, content, store

NOISE = os.urandom(2 * PART_BYTES + 2)
_EDGES = (0, local.PIECE_BYTES, PIECE_BYTES, PART_BYTES, 2 * PART_BYTES)

sizes = st.builds(lambda edge, by: max(0, edge + by), st.sampled_from(_EDGES), st.integers(-2, 2))


@pytest.mark.parametrize("piece_bytes", [1 << 16, (1 << 20) + 1, 2 * PART_BYTES])
@pytest.mark.parametrize("size", [edge + by for edge in _EDGES for by in (-1, 0, 1) if edge + by >= 0])
def test_bytes_come_back_as_they_were_written(place: Place, size: int, piece_bytes: int) -> None:
    data = NOISE[:size]

    store(place.storage, "file_1", *(data[at : at + piece_bytes] for at in range(0, size, piece_bytes)))

    assert content(place.storage, "file_1", 0, size) == data
    assert place.names() == ["file_1"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes, sizes)
def test_any_part_can_be_read(place: Place, one: int, other: int) -> None:
    start, end = sorted((one, other))
    if not place.names():
        store(place.storage, "file_1", NOISE)

    assert content(place.storage, "file_1", start, end) == NOISE[start:end]


@pytest.mark.parametrize("size", [0, 10, PART_BYTES + 1])
def test_an_upload_cannot_be_read_before_its_end(place: Place, size: int) -> None:
    writer = place.storage.begin("file_1")
    writer.write(NOISE[:size])

    with pytest.raises(DataError) as refusal:
        place.storage.open("file_1", 0, 1)
    writer.abort()

    assert (refusal.value.code, refusal.value.status) == ("FILE_NOT_FOUND", 404)


@pytest.mark.parametrize("size", [0, 10, PART_BYTES + 1])
def test_nothing_is_left_of_an_upload_given_up(place: Place, size: int) -> None:
    writer = place.storage.begin("file_1")
    writer.write(NOISE[:size])

    writer.abort()

    assert place.names() == []


@pytest.mark.parametrize("size", [10, PART_BYTES + 1])
def test_deleting_takes_uploads_with_it_that_nobody_continues(place: Place, size: int) -> None:
    place.storage.begin("file_1").write(NOISE[:size])
    store(place.storage, "file_2", b"other")

    place.storage.delete("file_1")

    assert place.names() == ["file_2"]


def test_a_deleted_file_is_gone_and_deleting_it_again_is_fine(place: Place) -> None:
    store(place.storage, "file_1", b"abc")

    place.storage.delete("file_1")
    place.storage.delete("file_1")

    assert place.names() == []
    with pytest.raises(DataError, match="FILE_NOT_FOUND"):
        place.storage.open("file_1", 0, 3)


def test_a_reader_is_closed_twice_without_harm(place: Place) -> None:
    store(place.storage, "file_1", b"abc")
    reader = place.storage.open("file_1", 0, 3)

    reader.close()
    reader.close()
