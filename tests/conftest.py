from collections.abc import Iterator
from typing import Any

import pytest
import structlog


@pytest.fixture(scope="session", autouse=True)
def _loggers_forget_their_settings() -> Iterator[None]:
    """A command run in this process sets where events go; a logger that kept it would escape later captures."""
    configure = structlog.configure

    def configure_without_keeping(**settings: Any) -> None:
        configure(**settings | {"cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_without_keeping)
        yield
