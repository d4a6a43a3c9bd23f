"""Whatever bytes a client sends, its socket ends or goes on, and the hub serves the others."""

import random
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from pylon_runtime.hub import HubLimits
from tests.pylon_runtime.hub.harness import Stage, change

MASK = b"\0\0\0\0"


def masked(first_byte: int, payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes([first_byte, 0x80 | len(payload)]) + MASK + payload


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x81\x02hi", 1002, id="a frame without mask"),
        pytest.param(masked(0xC1, b"hi"), 1002, id="a reserved bit"),
        pytest.param(masked(0x83, b"hi"), 1002, id="an unknown opcode"),
        pytest.param(masked(0x80, b"hi"), 1002, id="a continuation of nothing"),
        pytest.param(masked(0x01, b"a") + masked(0x81, b"b"), 1002, id="a message inside a message"),
        pytest.param(masked(0x09, b""), 1002, id="a ping in pieces"),
        pytest.param(b"\x89\xfe\x01\x00" + MASK + b"x" * 256, 1002, id="a ping too long"),
        pytest.param(b"\x81\xff" + b"\xff" * 8 + MASK, 1002, id="a length of 64 bits"),
        pytest.param(masked(0x81, b"\xff\xfe"), 1007, id="text that is not UTF-8"),
        pytest.param(masked(0x88, b"\x03"), 1002, id="half a close code"),
        pytest.param(masked(0x88, b"\x03\xed"), 1002, id="a close code that is never sent"),
        pytest.param(masked(0x88, b"\x03\xe8\xff"), 1007, id="a close reason that is not UTF-8"),
        pytest.param(masked(0x88, b""), 1005, id="a close without code"),
        pytest.param(masked(0x88, b"\x0f\xa0bye") + b"trailing", 4000, id="bytes after a close"),
    ],
)
def test_a_broken_frame_ends_its_socket_with_the_code_for_it(stage: Stage, data: bytes, code: int) -> None:
    hostile, other = stage.connect("ann"), stage.connect("bob")

    hostile.sock.sendall(data)

    assert hostile.close_code() == code
    stage.publish(change(1))
    assert other.seqs(1) == [1]


def test_a_frame_that_never_ends_is_bounded(make_stage: Callable[..., Stage]) -> None:
    hostile = make_stage(HubLimits(message_bytes_max=100_000)).connect()

    with suppress(OSError):
        hostile.sock.sendall(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK)
        for _ in range(1000):
            hostile.sock.sendall(b"x" * 65536)

    assert hostile.ends_within_patience()


@pytest.mark.parametrize("seed", range(5))
def test_noise_never_ends_the_hub(stage: Stage, seed: int) -> None:
    noise, other = random.Random(seed), stage.connect("bob")

    for _ in range(30):
        hostile = stage.connect_raw("ann")
        frame = masked(
            noise.choice([0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89]), noise.randbytes(noise.randrange(40))
        )
        with suppress(OSError):
            for _ in range(noise.randrange(1, 6)):
                hostile.sock.sendall(noise.choice([frame, noise.randbytes(noise.randrange(1, 300)), frame[:3]]))
            hostile.sock.shutdown(noise.choice([socket.SHUT_WR, socket.SHUT_RDWR]))
        hostile.drop()

    stage.publish(change(1))
    assert other.seqs(1) == [1]
    assert not stage.listener.failures
