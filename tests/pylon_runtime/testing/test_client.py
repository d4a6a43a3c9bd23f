"""The server and the client that apps are tested with: real ones, over HTTP."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_runtime.testing import Chunk, InMemoryServer, PylonClient, PylonError
from tests.pylon_runtime.testing.apps import write_app


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InMemoryServer]:
    with InMemoryServer(write_app(tmp_path_factory.mktemp("app") / "lots")) as server:
        yield server


@pytest.fixture
def client(server: InMemoryServer) -> PylonClient:
    client = PylonClient(server.url, server.admin_token)
    client.reset()
    return client


def test_everybody_is_who_they_say_they_are(client: PylonClient) -> None:
    ann, bob, guest = client.as_user("ann"), client.as_user("bob"), client.as_guest()

    lot = ann.call("sell", {"title": "vase"})

    assert ann.row("Lot", lot) == {"id": lot, "title": "vase", "price": 1, "ownerId": "ann"}
    assert (bob.row("Lot", lot), bob.rows("Lot")) == (None, [])
    assert [row["id"] for row in client.as_admin().rows("Lot", {"title": "vase"})] == [lot]
    assert guest.user_id is not None
    assert guest.user_id.startswith("guest_")
    assert ann.as_nobody().user_id is None
    with pytest.raises(PylonError) as refused:
        client.call("sell", {"title": "vase"})
    assert (refused.value.code, refused.value.status) == ("AUTH_REQUIRED", 400)


def test_rows_are_written_as_policies_allow(client: PylonClient) -> None:
    ann, bob = client.as_user("ann"), client.as_user("bob")

    lot = ann.insert("Lot", {"title": "vase", "price": 1, "ownerId": "ann"})
    changed = ann.update("Lot", lot["id"], {"price": 2})
    with pytest.raises(PylonError) as refused:
        bob.delete("Lot", lot["id"])
    ann.delete("Lot", lot["id"])

    assert changed["price"] == 2
    assert (refused.value.code, refused.value.status) == ("POLICY_DENIED", 403)
    assert client.as_admin().rows("Lot") == []


def test_streamed_text_is_kept_with_what_was_returned(client: PylonClient) -> None:
    streamed = client.stream("tell")

    assert streamed.chunks == [Chunk("a\nb"), Chunk("c", "named")]
    assert (streamed.text, streamed.value) == ("a\nbc", 7)
    with pytest.raises(PylonError) as refused:
        client.stream("tell", {"fail": True})
    assert refused.value.code == "SOLD_OUT"
    with pytest.raises(PylonError) as unknown:
        client.stream("nope")
    assert unknown.value.code == "FN_NOT_FOUND"


def test_jobs_settle_when_what_they_began_has_ended(client: PylonClient) -> None:
    ann = client.as_user("ann")
    lot = ann.call("sell", {"title": "vase"})

    ann.call("raise_later", {"title": "vase"})
    jobs = client.settle_jobs()

    row = ann.row("Lot", lot)
    assert row is not None
    assert row["price"] == 3
    assert [(job["name"], job["status"]) for job in jobs] == [("raise_price", "completed")] * 2


def test_a_job_of_the_far_future_keeps_nobody_waiting(client: PylonClient) -> None:
    client.call("raise_later", {"title": "vase", "delay_ms": 3_600_000})
    begun = time.monotonic()

    (job,) = client.settle_jobs()

    assert job["status"] == "pending"
    assert time.monotonic() - begun < 5
    with pytest.raises(TimeoutError, match="raise_price"):
        client.settle_jobs(within=7200, timeout=0.05)


def test_a_reset_leaves_no_rows_and_no_jobs(client: PylonClient) -> None:
    client.as_user("ann").call("sell", {"title": "vase"})
    client.call("raise_later", {"title": "vase", "delay_ms": 3_600_000})

    client.reset()

    assert client.as_admin().rows("Lot") == []
    assert client.settle_jobs() == []
    assert client.as_user("ann").call("sell", {"title": "other"})


def test_a_server_never_takes_the_database_of_the_environment(tmp_path: Path) -> None:
    app = write_app(tmp_path / "lots")
    (app / ".env").write_text("DATABASE_URL=postgres://localhost/real\nPYLON_DB_PATH=real.db\n")

    with InMemoryServer(app) as server:
        PylonClient(server.url).as_user("ann").call("sell", {"title": "vase"})

    assert not (app / "real.db").exists()
    assert not (app / ".pylon").exists()


def test_an_app_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "pylon.manifest.json").write_text("{")

    with pytest.raises(PylonError) as failed:
        InMemoryServer(tmp_path).start()

    assert failed.value.code == "TEST_SERVER_FAILED"
    assert "MANIFEST" in (failed.value.hint or "")
