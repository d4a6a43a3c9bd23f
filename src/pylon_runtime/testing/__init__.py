"""What an app is tested with: a real server of its own in memory, and somebody who uses it.

The fixtures of pytest (``pylon_runtime.pytest_plugin``) and ``pylon test`` are made of these. Everything here
stands outside of the server it talks to; nothing of the server imports it.
"""

from pylon_core.errors import PylonError
from pylon_runtime.testing.client import Chunk, PylonClient, Streamed
from pylon_runtime.testing.server import InMemoryServer

__all__ = ["Chunk", "InMemoryServer", "PylonClient", "PylonError", "Streamed"]
