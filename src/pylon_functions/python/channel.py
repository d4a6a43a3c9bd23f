"""The pipes to the server: frames out, and answers to what calls asked.

The main thread reads and hands answers on; every call's thread writes, a line at a time. ``_writing`` keeps lines
whole, ``_lock`` guards the requests that wait.
"""

import itertools
import os
import threading
from collections.abc import Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from pylon_functions.python.errors import CallAbandonedError, FunctionError
from pylon_functions.python.wire import ResultFrame

ANSWER_TIMEOUT_S = 60.0
_READ_BYTES = 1 << 16

_Answer = SimpleQueue[ResultFrame | FunctionError]
_encoder = msgspec.json.Encoder()


class Channel:
    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, _Answer]] = {}
        self._numbers = itertools.count()
        self._is_ours = True

    def disown(self) -> None:
        """In a process that a handler forked: the pipes stay the parent's alone."""
        os.close(self._read_fd)
        os.close(self._write_fd)
        self._is_ours = False

    def lines(self) -> Iterator[bytes]:
        """What the server writes, until it closes the pipe."""
        rest: list[bytes] = []
        while chunk := os.read(self._read_fd, _READ_BYTES):
            *lines, tail = chunk.split(b"\n")
            for line in lines:
                rest.append(line)
                yield b"".join(rest)
                rest.clear()
            rest.append(tail)

    def send(self, frame: Mapping[str, Any]) -> None:
        """Raises TypeError or the like, before anything is written, for what is no JSON."""
        if not self._is_ours:
            raise RuntimeError("a forked process cannot speak to the server")
        unsent = memoryview(_line(frame))
        with self._writing:
            while unsent:
                unsent = unsent[os.write(self._write_fd, unsent) :]

    def ask(self, call_id: str, kind: str, operands: Mapping[str, Any]) -> Any:
        """Send a request and wait for its answer. Raises ``FunctionError`` for a refusal."""
        op_id = f"{call_id}#{next(self._numbers)}"
        answer: _Answer = SimpleQueue()
        with self._lock:
            self._waiting[op_id] = (call_id, answer)
        try:
            # The ids come first: a server that cannot read the rest can still say to whom.
            self.send({"type": kind, "call_id": call_id, "op_id": op_id, **operands})
            frame = answer.get(timeout=ANSWER_TIMEOUT_S)
        except Empty:
            raise TimeoutError(f"the server did not answer within {ANSWER_TIMEOUT_S:g} s") from None
        finally:
            with self._lock:
                self._waiting.pop(op_id, None)
        if isinstance(frame, FunctionError):
            raise frame
        if frame.error is not None:
            raise FunctionError(frame.error.code, frame.error.message)
        return frame.data

    def settle(self, frame: ResultFrame) -> None:
        """An answer to something not asked, or given up on, is ignored."""
        with self._lock:
            waiting = self._waiting.get(frame.op_id or frame.call_id)
        if waiting is not None:
            waiting[1].put(frame)

    def abandon(self, call_id: str) -> None:
        """What this call waits for will not come."""
        with self._lock:
            answers = [answer for waiting_call, answer in self._waiting.values() if waiting_call == call_id]
        for answer in answers:
            answer.put(CallAbandonedError())


def _line(frame: Mapping[str, Any]) -> bytes:
    try:
        return _encoder.encode(frame) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_well_formed(msgspec.to_builtins(frame))) + b"\n"


def _well_formed(value: Any) -> Any:
    """Half a surrogate pair is no character, so no text can say it: it becomes U+FFFD, as in TypeScript."""
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case dict():
            return {_well_formed(name): _well_formed(member) for name, member in value.items()}
        case list() | tuple():
            return [_well_formed(element) for element in value]
    return value
