"""The program of the quarantine, run as a script: merges what came from outside into a document.

Reads and writes frames on the socket that is its standard input: four bytes of length, then

    request   four bytes: the snapshot's length; the snapshot; the update
    answer    the verdict, a word; a newline; after ``merged`` the new snapshot

Knows nothing but Loro and the standard library, so that it starts quickly and is small. It lets nothing out that
would harm whoever opens it: values nest no deeper than ``DEPTH_MAX``, and the history is no longer than it is
told on its command line, and soon played. What harms itself (a value that nests a million deep ends the process,
one that unpacks to gigabytes meets the limit of its memory) harms nobody else.
"""

import json
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any

import loro

LENGTH = struct.Struct(">I")
MEMORY_BYTES_MAX = 1024 * 1024 * 1024
DEPTH_MAX = 64
"""Levels of arrays and objects in one value."""

PLAY_SECONDS = 0.25
"""What a document's history may take to be played: the server does that too when it edits a text, and does nothing
else meanwhile. A million keystrokes of prose take a quarter of it; scattered one by one they take more."""

_NAMES = "cid:root-_pylon:Map"
"""``row_document.NAMES``, as Loro calls it."""

_LEVELS_AROUND = 6
"""Those of the JSON in which Loro describes an operation."""


def merge(snapshot: bytes, update: bytes, history_max: int) -> tuple[bytes, bytes]:
    """The histories are put together first and played into an empty document then: to compute what a large update
    changes in one that is not takes Loro a time quadratic in its size."""
    histories, merged = loro.LoroDoc(), loro.LoroDoc()  # type: ignore[no-untyped-call]  # its stub says nothing
    nothing = histories.oplog_vv
    histories.detach()
    histories.import_(snapshot)
    before = histories.oplog_vv
    try:
        status = histories.import_(update)
        if status.pending is not None:
            return b"incomplete", b""
        if histories.oplog_vv == before:
            return b"unchanged", b""
        history = histories.export(loro.ExportMode.Updates(nothing))
        if len(history) > history_max:
            return b"too large", b""
        added = json.loads(histories.export_json_updates(before, histories.oplog_vv))
        if _nests_too_deep(added):
            return b"unreadable", b""
        if _names_a_document(added):
            return b"another", b""
        begun = time.process_time()
        merged.import_(history)
        if time.process_time() - begun > PLAY_SECONDS:
            return b"too large", b""
        return b"merged", merged.export(loro.ExportMode.Snapshot())
    except BaseException as error:
        if _is_of_loro(error):
            return b"unreadable", b""
        raise


def _is_of_loro(error: BaseException) -> bool:
    """The binding raises ``BaseException`` itself, and a panic of its own that is none either."""
    return type(error) is BaseException or isinstance(error, Exception) or "Panic" in type(error).__name__


def _names_a_document(added: Mapping[str, Any]) -> bool:
    """Whether a name is given to the document, which has one: then these are edits of another, with its name."""
    return any(op["container"] == _NAMES for change in added["changes"] for op in change["ops"])


def _nests_too_deep(added: object) -> bool:
    levels = [added]
    for _ in range(DEPTH_MAX + _LEVELS_AROUND):
        levels = [inner for value in levels for inner in _inside(value)]
        if not levels:
            return False
    return True


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, dict | list)]
    return [inner for inner in value if isinstance(inner, dict | list)] if isinstance(value, list) else []


def serve(channel: socket.socket, history_max: int) -> None:
    """Answer requests until the other side closes."""
    while (head := _read(channel, LENGTH.size)) is not None:
        request = _read(channel, LENGTH.unpack(head)[0])
        if request is None:
            return
        (length,) = LENGTH.unpack_from(request)
        after = LENGTH.size + length
        verdict, merged = merge(request[LENGTH.size : after], request[after:], history_max)
        answer = verdict + b"\n" + merged
        channel.sendall(LENGTH.pack(len(answer)) + answer)


def _read(channel: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        part = channel.recv(count - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes the socket
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(socket.socket(fileno=0), int(sys.argv[1]))
