import secrets

import pytest

from pylon_auth import SessionStore
from tests.pylon_auth.memory_backend import MemorySessionBackend, SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def backend() -> MemorySessionBackend:
    return MemorySessionBackend()


@pytest.fixture
def sessions(backend: MemorySessionBackend, clock: SetClock) -> SessionStore:
    return SessionStore(backend, clock, secrets.token_bytes)
