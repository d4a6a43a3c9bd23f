"""A child process played by the test: it is told what to write, and remembers what the host wrote to it."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pylon_core import jsontext
from pylon_functions.registry import Registry
from pylon_functions.runner import Runner
from pylon_functions.workers import Turn

Frame = dict[str, Any]
Script = Callable[["ScriptedChild", Frame], None]
"""What the child does when the host says something: called with each frame of the host's."""


class ScriptedChild:
    """A ``Channel`` whose other end is ``script``, run on a thread of its own, like a real child's reader."""

    def __init__(self, script: Script, **kinds: str) -> None:
        self.heard: list[Frame] = []
        self.is_closed = False
        self._script = script
        self._wakes = threading.Condition()
        self._unread: list[Frame] = []
        self.runner = Runner(self)
        self._thread = threading.Thread(target=self._play, name="scripted-child", daemon=True)
        self._thread.start()
        functions = [{"name": name, "fn_type": kind, "args_schema": None} for name, kind in kinds.items()]
        self.say({"type": "ready", "functions": functions})

    def send(self, line: bytes, deadline: float) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        with self._wakes:
            self._unread.append(jsontext.decode(line))
            self._wakes.notify()

    @property
    def is_clear(self) -> bool:
        return True

    def offer(self, lines: bytes) -> bool:
        for line in lines.splitlines(keepends=True):
            self.send(line, 0.0)
        return True

    def close(self) -> None:
        with self._wakes:
            self.is_closed = True
            self._wakes.notify()

    def say(self, *frames: Frame) -> None:
        self.write(b"".join(jsontext.encode(frame) + b"\n" for frame in frames))

    def write(self, text: bytes) -> None:
        self.runner.feed(text)

    def die(self) -> None:
        self.runner.lost()

    def rescript(self, script: Script) -> None:
        """Play something else from now on, such as what needs to know of other children."""
        self._script = script

    def calls(self) -> list[str]:
        """The functions that were called."""
        return [frame["fn_name"] for frame in self.heard if frame["type"] == "call"]

    def abandoned(self) -> list[str]:
        """The calls it was told to give up."""
        return [frame["call_id"] for frame in self.heard if frame["type"] == "abandon"]

    def answers(self) -> list[Frame]:
        return [frame for frame in self.heard if frame["type"] == "result"]

    def _play(self) -> None:
        while True:
            with self._wakes:
                self._wakes.wait_for(lambda: self._unread or self.is_closed)
                if not self._unread:
                    return
                frame = self._unread.pop(0)
            self.heard.append(frame)
            self._script(self, frame)


class ScriptedWorkers:
    """Hands out its children one after the other: the next when one was lost or replaced."""

    def __init__(self, *children: ScriptedChild) -> None:
        self._children = iter(children)
        self.current = next(self._children)
        self.replaced = 0

    def pick(self, _name: str, _deadline: float) -> Runner:
        if not self.current.runner.is_open:
            self.current = next(self._children)
        return self.current.runner

    def replace(self, runner: Runner) -> None:
        self.replaced += 1
        self.current.die()

    @contextmanager
    def isolated(self, name: str, deadline: float, turn: Turn) -> Iterator[Runner]:
        yield self.pick(name, deadline)

    def blame(self, runner: Runner) -> None:
        pass

    def is_cleared(self, _runner: Runner, _deadline: float) -> bool:
        return True

    def registry(self) -> Registry:
        return self.current.runner.registry


class Pools:
    """Workers of several pools, as of two languages: a call goes to the pool that has its function."""

    def __init__(self, *pools: ScriptedWorkers) -> None:
        self._pools = pools

    def pick(self, name: str, deadline: float) -> Runner:
        having = (pool for pool in self._pools if name in pool.registry())
        return next(having, self._pools[0]).pick(name, deadline)

    def replace(self, runner: Runner) -> None:
        for pool in self._pools:
            if pool.current.runner is runner:
                pool.replace(runner)

    @contextmanager
    def isolated(self, name: str, deadline: float, turn: Turn) -> Iterator[Runner]:
        yield self.pick(name, deadline)

    def blame(self, runner: Runner) -> None:
        pass

    def is_cleared(self, _runner: Runner, _deadline: float) -> bool:
        return True

    def registry(self) -> Registry:
        return {name: function for pool in self._pools for name, function in pool.registry().items()}


def saying(*frames: Frame) -> Script:
    """A handler that writes all of ``frames`` when called, with their call id, and takes no heed of answers."""

    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            child.say(*({**frame, "call_id": heard["call_id"]} for frame in frames))

    return script


def dying(child: ScriptedChild, heard: Frame) -> None:
    child.die()


def silent(child: ScriptedChild, heard: Frame) -> None:
    pass


def by_name(**scripts: Script) -> Script:
    """Each function's own script; what is said to a call goes to that of its function."""
    names: dict[str, str] = {}

    def script(child: ScriptedChild, heard: Frame) -> None:
        if heard["type"] == "call":
            names[heard["call_id"]] = heard["fn_name"]
        scripts[names[heard["call_id"]]](child, heard)

    return script


def stepwise(*frames: Frame) -> Script:
    """A handler that writes the next of ``frames`` each time the host says something to it."""
    steps = itertools.cycle(frames)

    def script(child: ScriptedChild, heard: Frame) -> None:
        child.say({**next(steps), "call_id": heard["call_id"]})

    return script
