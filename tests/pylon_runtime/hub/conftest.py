from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pylon_runtime.hub.harness import Stage


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
