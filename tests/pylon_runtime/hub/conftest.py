from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pylon_runtime.hub import HubLimits
from tests.pylon_runtime.hub.harness import Stage
from tests.pylon_runtime.hub.live_rig import DOCUMENT, ServerMaker, WatchedStore
from tests.support.data_api import IDENTITIES, DataApi
from tests.support.live_queries import LiveServer


@pytest.fixture
def make_stage() -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(*args: Any, **options: Any) -> Stage:
        stages.append(Stage(*args, **options))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


@pytest.fixture
def make_server() -> Iterator[ServerMaker]:
    servers: list[LiveServer] = []

    def make(**limits: Any) -> LiveServer:
        api = DataApi(DOCUMENT)
        api.reconfigure(store=WatchedStore(api.store))
        servers.append(LiveServer(api, IDENTITIES, limits=HubLimits(**limits)))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server: ServerMaker) -> LiveServer:
    return make_server()
