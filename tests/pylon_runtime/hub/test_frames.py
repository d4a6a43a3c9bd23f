"""Frames must be read by any WebSocket client; here by wsproto's half of one."""

import pytest
from wsproto.frame_protocol import FrameProtocol, Opcode

from pylon_runtime.hub.frames import PING, binary_frame, close_frame, text_frame


def read(data: bytes) -> list[tuple[Opcode, object]]:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(data)
    frames: list[tuple[Opcode, object]] = []
    payload = b""
    for frame in client.received_frames():
        if isinstance(frame.payload, str | bytes | bytearray) and not frame.opcode.iscontrol():
            payload += frame.payload.encode() if isinstance(frame.payload, str) else bytes(frame.payload)
            if frame.message_finished:
                frames.append((frame.opcode, payload))
                payload = b""
        else:
            frames.append((frame.opcode, frame.payload))
    return frames


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_payloads_of_every_length_class(size: int) -> None:
    payload = b"x" * size

    assert read(text_frame(payload) + binary_frame(payload)) == [(Opcode.TEXT, payload), (Opcode.BINARY, payload)]
    assert binary_frame(payload[:3], payload[3:]) == binary_frame(payload)


def test_a_ping_is_empty() -> None:
    assert read(PING) == [(Opcode.PING, b"")]


@pytest.mark.parametrize(
    ("reason", "read_as"),
    [("bye", "bye"), ("", ""), ("x" * 200, "x" * 123), ("é" * 100, "é" * 61)],
    ids=["short", "none", "cut", "cut between characters"],
)
def test_a_close_frame_holds_what_fits(reason: str, read_as: str) -> None:
    ((opcode, payload),) = read(close_frame(1013, reason))

    assert (opcode, payload) == (Opcode.CLOSE, (1013, read_as))
