"""The hub: policy-filtered change events to WebSockets and event streams, encoded once and sent to many."""

from pylon_runtime.hub.documents import Documents
from pylon_runtime.hub.event_stream import STREAM_PATHS, EventStreamEndpoint, asks_for_stream
from pylon_runtime.hub.hub import Hub, HubStats
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.live import LiveQueries
from pylon_runtime.hub.websocket import SYNC_PATHS, WebSocketEndpoint

__all__ = [
    "STREAM_PATHS",
    "SYNC_PATHS",
    "Documents",
    "EventStreamEndpoint",
    "Hub",
    "HubLimits",
    "HubStats",
    "LiveQueries",
    "SocketIdentity",
    "WebSocketEndpoint",
    "asks_for_stream",
]
