from collections.abc import Iterator

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, returning, serving, write_app


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server for all tests of a file; it must answer, and have lost nothing, when they are over."""
    folder = write_app(tmp_path_factory.mktemp("app"), functions={"ping": returning("pong")})
    with serving(folder, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as server:
        server.await_functions()
        token, _ = server.guest()
        _, kept = server.request("POST", "/api/entities/Post", {"title": "kept"}, token=token)
        yield server
        assert server.request("GET", f"/api/entities/Post/{kept['id']}", token=token) == (200, kept)
        assert "Traceback" not in server.log_text()
        assert "request_failed" not in server.log_text()
