"""A client as it was published: its rows, its cursor, its socket, and the rules by which it merges (contract 05
§11).

Written from the contract and shares nothing with our own client. One thread uses it.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pylon_http import Row
from pylon_runtime.hub.connection import Connection
from tests.support.crdt_frames import CrdtFrame, read_crdt_frame

Key = tuple[str, str]
"""Entity and id."""

RECEIVE_BYTES = 1 << 16

TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88


class Replica:
    """Rows and cursor; ``apply`` is the published merge."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.cursor = 0
        self.rows: dict[Key, Row] = {}
        self._tombstones: dict[Key, int] = {}

    def apply(self, event: dict[str, Any]) -> None:
        key = (event["entity"], event["row_id"])
        if event["kind"] == "delete":
            self.rows.pop(key, None)
            self._tombstones[key] = event["seq"]
        elif event["seq"] >= self._tombstones.get(key, 0):
            old = self.rows.get(key, {}) if event["kind"] == "update" else {}
            self.rows[key] = {**old, **event["data"], "id": event["row_id"]}

    def apply_live(self, event: dict[str, Any]) -> None:
        """What a socket brought: only what is newer, and the cursor goes along."""
        if event["seq"] > self.cursor:
            self.apply(event)
            self.cursor = event["seq"]


class LiveSocket:
    """The client's end of a WebSocket whose handshake is over; ``connection`` is the server's."""

    def __init__(self, connection: Connection, client: socket.socket, leave: Callable[[Connection], None]) -> None:
        self.connection = connection
        self._client = client
        self._leave = leave
        self._unread = b""
        self._last_seq = 0
        self.close_code: int | None = None
        client.setblocking(False)

    def messages(self) -> list[dict[str, Any] | CrdtFrame]:
        """The change events and documents' frames that have arrived since the last call, after which
        ``close_code`` may be set."""
        self._receive()
        messages: list[dict[str, Any] | CrdtFrame] = []
        for opcode, payload in self._frames():
            if opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")
            elif opcode == BINARY:
                messages.append(read_crdt_frame(payload))
            elif opcode == TEXT:
                message = msgspec.json.decode(payload)
                if {"seq", "entity", "kind"} <= message.keys():
                    assert message["seq"] > self._last_seq, "a socket's events do not ascend"
                    self._last_seq = message["seq"]
                    messages.append(message)
        return messages

    def close(self) -> None:
        self._leave(self.connection)
        self.connection.sock.close()
        self._client.close()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        data, at = self._unread, 0
        while len(data) - at >= 2:
            opcode, size, start = data[at], data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > len(data):
                break
            at = start + size
            yield opcode, data[start:at]
        self._unread = data[at:]

    def _receive(self) -> None:
        while True:
            try:
                data = self._client.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.close_code = self.close_code or 1006
                return
            self._unread += data
