"""A database in memory, and the reset that tests start afresh with (contract 01 §4)."""

from pathlib import Path

from tests.server.rig import serving, write_app

IN_MEMORY = {"PYLON_DB_PATH": ":memory:", "PYLON_DEV_MODE": "1"}


def test_a_reset_empties_it_ends_its_sockets_and_makes_old_cursors_start_again(tmp_path: Path) -> None:
    with serving(write_app(tmp_path / "app"), env=IN_MEMORY, command="start") as server:
        token, _ = server.guest()
        status, _ = server.request("POST", "/api/entities/Post", {"title": "before"}, token=token)
        assert status == 201
        _, pulled = server.request("GET", "/api/sync/pull?since=0", token=token)
        socket = server.socket(token)
        assert socket.next()["data"]["title"] == "before"

        assert server.request("POST", "/api/__test__/reset", {}) == (200, {"reset": True})

        assert socket.close_code() == 1012
        assert server.request("GET", "/api/entities/Post", token=token) == (200, [])
        cursor = pulled["cursor"]["last_seq"]
        status, _ = server.request("GET", f"/api/sync/pull?since={cursor}", token=token)
        assert status == 410
        server.request("POST", "/api/entities/Post", {"title": "after"}, token=token)
        assert server.socket(token).next()["data"]["title"] == "after", "what was is not replayed"


def test_a_file_is_never_reset(tmp_path: Path) -> None:
    with serving(write_app(tmp_path / "app")) as server:
        status, answer = server.request("POST", "/api/__test__/reset", {})

        assert (status, answer["code"]) == (403, "RESET_REFUSED")
