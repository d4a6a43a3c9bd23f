"""Two applications in one process do not know each other: no shared rows, sessions, sockets or functions."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from pylon_core.clock import SystemClock
from pylon_runtime.app_folder import AppFolder, load_manifest
from pylon_runtime.application import Application
from pylon_runtime.composition import build
from pylon_runtime.config import ServerConfig
from tests.server.rig import notes_app, returning, write_app
from tests.support.sockets import WireClient
from tests.support.waiting import until


def start(folder: Path, **settings: str) -> Application:
    environ = {"PYLON_DEV_MODE": "1", "PYLON_EXTRA_PORTS": "0", "PYLON_PORT": "0", **settings}
    config = ServerConfig.from_env(environ)
    place = AppFolder(folder)
    app = build(config, place, load_manifest(place, config), environ, SystemClock())
    app.start()
    return app


def client_of(app: Application) -> httpx.Client:
    """Signed in as a guest of its own."""
    url = f"http://127.0.0.1:{app.server.port}"
    token = httpx.post(f"{url}/api/auth/guest", trust_env=False).json()["token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)


def token_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Application]]:
    with ExitStack() as stack:
        apps = []
        for name in ("one", "two"):
            folder = write_app(tmp_path / name, notes_app(name=name), {"who": returning(name)})
            app = start(folder, PYLON_ADMIN_TOKEN=f"admin-of-{name}")
            stack.callback(app.stop)
            apps.append(app)
        yield apps


def test_rows_sessions_sockets_and_functions_are_apart(pair: list[Application]) -> None:
    one, two = pair
    ann, bob = client_of(one), client_of(two)
    ann_live, bob_live = WireClient(one.server.port, token_of(ann)), WireClient(two.server.port, token_of(bob))
    stranger = WireClient(two.server.port, token_of(ann))
    with ann, bob, ann_live.sock, bob_live.sock, stranger.sock:
        ann_row = ann.post("/api/entities/Post", json={"title": "of one"}).json()
        bob_row = bob.post("/api/entities/Post", json={"title": "of two"}).json()

        assert [ann_live.next()["row_id"], bob_live.next()["row_id"]] == [ann_row["id"], bob_row["id"]]
        assert [row["title"] for row in bob.get("/api/entities/Post").json()] == ["of two"]
        assert _me(two, token_of(ann)) is None
        assert _me(two, "admin-of-one") is None
        assert _me(two, "admin-of-two") == "__admin__"
        assert stranger.close_code() == 1008
        until(lambda: bob.post("/api/fn/who", json={}).status_code == 200, "the functions of two")
        assert bob.post("/api/fn/who", json={}).json() == "two"

        one.stop()

        assert ann_live.close_code() == 1001
        assert bob.get("/health").json()["status"] == "ok"
        row = bob.post("/api/entities/Post", json={"title": "still here"}).json()
        assert bob_live.next()["row_id"] == row["id"]


def _me(app: Application, token: str) -> Any:
    url = f"http://127.0.0.1:{app.server.port}/api/auth/me"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False).json()
    return answer["user_id"]
