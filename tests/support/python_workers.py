"""Python functions run as their child process runs them, on threads of this process: for tests that choose when
everything happens."""

import os
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from pylon_functions.python import wire
from pylon_functions.python.authoring import Function
from pylon_functions.python.channel import Channel
from pylon_functions.python.invoker import Invoker
from pylon_functions.python.loading import LoadedFunction
from pylon_functions.registry import Registry
from pylon_functions.runner import Runner
from pylon_functions.workers import Turn

_READ_BYTES = 1 << 16


class PythonWorkers:
    """``Workers`` with one child, which is never replaced."""

    def __init__(self, functions: Iterable[Function[Any, ..., Any]]) -> None:
        loaded = [LoadedFunction(function, "test.py") for function in functions]
        to_child, self._say = os.pipe()
        self._hear, from_child = os.pipe()
        self._channel = Channel(to_child, from_child)
        self._invoker = Invoker({function.name: function for function in loaded}, self._channel)
        self._writing = threading.Lock()
        self.runner = Runner(self)
        self._threads = [
            threading.Thread(target=play, name="python-workers", daemon=True) for play in (self._child, self._host)
        ]
        for thread in self._threads:
            thread.start()
        self._channel.send(wire.ready([function.entry() for function in loaded]))
        assert self.runner.wait_until_ready(20) is None

    def pick(self, _name: str, _deadline: float) -> Runner:
        return self.runner

    def replace(self, runner: Runner) -> None:
        raise AssertionError("a handler did not answer in time")

    def isolated(self, _name: str, _deadline: float, _turn: Turn) -> AbstractContextManager[Runner]:
        raise AssertionError("a handler kept its process from moving")

    def blame(self, _runner: Runner) -> None:
        raise AssertionError("a handler kept its process from moving")

    def is_cleared(self, _runner: Runner, _deadline: float) -> bool:
        return True

    def registry(self) -> Registry:
        return self.runner.registry

    def send(self, line: bytes, deadline: float) -> None:
        with self._writing:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._say, rest) :]

    @property
    def is_clear(self) -> bool:
        return True

    def offer(self, lines: bytes) -> bool:
        self.send(lines, 0.0)
        return True

    def close(self) -> None:
        os.close(self._say)
        for thread in self._threads:
            thread.join(20)

    def _child(self) -> None:
        for line in self._channel.lines():
            match wire.decode(line):
                case wire.CallFrame() as frame:
                    self._invoker.begin(frame)
                case wire.ResultFrame() as frame:
                    self._channel.settle(frame)
                case wire.AbandonFrame(call_id):
                    self._invoker.abandon(call_id)
        self._invoker._threads.shutdown()
        for end in (self._channel._read_fd, self._channel._write_fd):
            os.close(end)

    def _host(self) -> None:
        while chunk := os.read(self._hear, _READ_BYTES):
            self.runner.feed(chunk)
        os.close(self._hear)
