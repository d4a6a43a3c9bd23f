"""One process with functions: started, spoken to over pipes, ended and reaped.

Two threads per child. The reader takes its stdout to the ``Runner``. The other takes its stderr, where handlers'
``console`` goes, line by line to ``on_output``, and watches the process itself, because something that a handler
started may hold both open for longer. When it has ended, that thread kills what is left of its group, waits for
the reader, reaps it and tells the ``Runner``.
"""

import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from pylon_core.clock import Clock
from pylon_functions.lines import LineSplitter
from pylon_functions.runner import Runner
from pylon_runtime.line_pipe import LinePipe
from pylon_runtime.threads import spawn

READ_BYTES = 1 << 16
"""What a pipe holds, so one read takes all that an ended process has left in it."""
OUTPUT_LINE_BYTES_MAX = 1 << 16
LAST_FRAMES_S = 1.0
"""How long the reader may take to come to the end of an ended process's stdout."""


class FunctionChild:
    """Runs from construction on. Raises OSError when the command cannot be started.

    It is a process group of its own: Ctrl-C in a terminal reaches only the server, which stops it in order, and
    killing it takes along whatever its handlers started. Any thread may call its methods; the lock guards that
    its process id is not used once it is reaped.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        cwd: Path,
        clock: Clock,
        on_ended: Callable[[], None],
        on_output: Callable[[str], None],
    ) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, env=environ, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, process_group=0
        )
        self.pid = self._process.pid
        self._lock = threading.Lock()
        self._on_output = on_output
        self._stdin = LinePipe(os.dup(_open(self._process.stdin).fileno()), clock)
        _open(self._process.stdin).close()
        self._on_ended = on_ended
        self.runner = Runner(self._stdin)
        try:
            self._reader = spawn(f"pylon-functions-{self.pid}", self._read_frames)
            self.threads = (self._reader, spawn(f"pylon-functions-{self.pid}-output", self._watch))
        except BaseException:
            self.kill()  # which ends the reader, too, if there is one
            self._process.wait()
            self._stdin.close()
            raise

    def kill(self) -> None:
        """End it now, and what it started in its group; it is reaped soon."""
        with self._lock:
            if self._process.returncode is None:
                os.killpg(self.pid, signal.SIGKILL)

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    def _read_frames(self) -> None:
        with _open(self._process.stdout) as stdout:
            try:
                while chunk := os.read(stdout.fileno(), READ_BYTES):
                    self.runner.feed(chunk)
            finally:
                self.kill()

    def _watch(self) -> None:
        try:
            self._read_output()
        finally:
            self.kill()
            self._reader.join(LAST_FRAMES_S)
            self._reap()
            self.runner.lost()
            self._stdin.close()
            self._on_ended()

    def _read_output(self) -> None:
        lines = LineSplitter(OUTPUT_LINE_BYTES_MAX)
        with _open(self._process.stderr) as stderr:
            for chunk in _read_until_ended(stderr.fileno(), self.pid):
                for line in lines.push(chunk):
                    self._on_output(line.decode(errors="replace"))
            for line in lines.push(b"\n"):
                if line:
                    self._on_output(line.decode(errors="replace"))

    def _reap(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._process.wait()


def _read_until_ended(fd: int, pid: int) -> Iterator[bytes]:
    """What is written to a pipe until a child process, not yet reaped, has ended."""
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(fd, select.POLLIN)
        ready: Container[int] = ()
        while ended not in ready:
            ready = {ready_fd for ready_fd, _ in poll.poll()}
            if fd in ready:
                chunk = os.read(fd, READ_BYTES)
                if not chunk:
                    poll.unregister(fd)
                yield chunk
    finally:
        os.close(ended)


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # asked for with PIPE
    return stream
