"""kill -9 while eight writers post: nothing acknowledged is lost, nothing is half there, on either engine."""

from pathlib import Path

import pytest

from tests.crash.lives import PostgresDatabase, SqliteDatabase, crash_rounds
from tests.support.postgres import fresh_database


@pytest.mark.timeout(300)
def test_twenty_lives_of_a_server_lose_nothing_they_acknowledged(tmp_path: Path) -> None:
    crash_rounds(tmp_path, SqliteDatabase(tmp_path / ".pylon" / "dev.db"), 20)


@pytest.mark.timeout(300)
def test_six_lives_of_a_server_on_postgres_lose_nothing_they_acknowledged(tmp_path: Path) -> None:
    crash_rounds(tmp_path, PostgresDatabase(fresh_database()), 6)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_thousand_lives_of_a_server(tmp_path: Path) -> None:
    crash_rounds(tmp_path, SqliteDatabase(tmp_path / ".pylon" / "dev.db"), 1000)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_thousand_lives_of_a_server_on_postgres(tmp_path: Path) -> None:
    crash_rounds(tmp_path, PostgresDatabase(fresh_database()), 1000)
