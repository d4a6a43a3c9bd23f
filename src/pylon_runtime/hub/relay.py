"""Presence and topic messages: what a client may have passed on, how much of it, and the queue they wait in.

Relays are ephemeral: beyond their bounds, and towards a connection that is not taking bytes, they are dropped
where a change event would close the connection. They reach the sender's tenant and nobody else.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pylon_core import jsontext
from pylon_core.clock import Clock
from pylon_runtime.hub.frames import text_frame
from pylon_runtime.hub.limits import HubLimits

RELAYED_TYPES = frozenset({"presence", "topic"})
_CHANGE_EVENT_MEMBERS = frozenset({"seq", "entity", "kind"})
_BURST_S = 2.0


def relayed(message: Mapping[str, Any], user_id: str | None) -> bytes | None:
    """A client's message as it is passed on, signed with its sender; ``None`` when it is not to be.

    Replicas take any object with the members of a change event for one, whatever its ``type``: passing such a
    message on would let every client write into every other client's replica.
    """
    if message.keys() >= _CHANGE_EVENT_MEMBERS:
        return None
    return jsontext.encode({**message, "from": user_id})


def disconnect_notice(number: int, user_id: str | None) -> bytes:
    """One of a user's connections ended; they may have others."""
    return jsontext.encode({"type": "presence", "event": "disconnect", "clientId": number, "from": user_id})


class RelayAllowance:
    """What one connection may still have passed on: two token buckets. Used by its reader thread alone."""

    __slots__ = ("_bytes", "_clock", "_limits", "_messages", "_topped_up")

    def __init__(self, limits: HubLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._messages = limits.relay_messages_per_s * _BURST_S
        self._bytes = limits.relay_bytes_per_s * _BURST_S
        self._topped_up = clock.monotonic()

    def spend(self, size: int) -> bool:
        """Whether a message of ``size`` bytes may be passed on now."""
        self._top_up()
        if self._messages < 1 or self._bytes < size:
            return False
        self._messages -= 1
        self._bytes -= size
        return True

    def _top_up(self) -> None:
        now = self._clock.monotonic()
        elapsed = now - self._topped_up
        self._topped_up = now
        limits = self._limits
        self._messages = min(
            limits.relay_messages_per_s * _BURST_S, self._messages + elapsed * limits.relay_messages_per_s
        )
        self._bytes = min(limits.relay_bytes_per_s * _BURST_S, self._bytes + elapsed * limits.relay_bytes_per_s)


class RelayQueue:
    """Relays that wait for the dispatcher, by tenant. Any thread may add; the lock guards the queue."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._bytes = 0
        self._frames: defaultdict[str | None, list[bytes]] = defaultdict(list)
        self.dropped = 0

    def add(self, tenant_id: str | None, payload: bytes) -> bool:
        frame = text_frame(payload)
        with self._lock:
            if self._bytes + len(frame) > self._bytes_max:
                self.dropped += 1
                return False
            self._bytes += len(frame)
            self._frames[tenant_id].append(frame)
            return True

    def take(self) -> dict[str | None, list[bytes]]:
        with self._lock:
            frames, self._frames = self._frames, defaultdict(list)
            self._bytes = 0
            return frames
