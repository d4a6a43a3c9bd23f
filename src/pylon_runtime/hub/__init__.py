"""The hub: policy-filtered change events to WebSockets, encoded once and sent to many."""

from pylon_runtime.hub.hub import Hub, HubStats
from pylon_runtime.hub.identity import SocketIdentity
from pylon_runtime.hub.limits import HubLimits
from pylon_runtime.hub.websocket import SYNC_PATHS, WebSocketEndpoint

__all__ = ["SYNC_PATHS", "Hub", "HubLimits", "HubStats", "SocketIdentity", "WebSocketEndpoint"]
