"""A real Python child, spoken to over its pipes as the server does."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pylon_core import jsontext

Frame = dict[str, Any]
HEADER = """\
from datetime import datetime
from typing import Annotated, Any, Literal
from pylon_functions import action, mutation, query, row_id, workflow
"""


class PythonChild:
    """``modules`` maps file names (without ``.py``) to what follows the imports."""

    def __init__(
        self, root: Path, *, environ: Mapping[str, str] | None = None, folder: str = "functions", **modules: str
    ) -> None:
        files = root / folder
        files.mkdir(exist_ok=True)
        for name, body in modules.items():
            (files / f"{name}.py").write_text(HEADER + body)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pylon_functions.python", folder],
            cwd=root,
            env={**os.environ, **(environ or {})},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        self.ready = self.hear()

    def __enter__(self) -> "PythonChild":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()

    def say(self, frame: Frame) -> None:
        self.write(jsontext.encode(frame) + b"\n")

    def write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def hear(self) -> Frame:
        """The next frame; a child that says nothing is ended by the test's own timeout."""
        assert self._process.stdout is not None
        frame: Frame = jsontext.decode(self._process.stdout.readline())
        return frame

    def call(self, name: str, args: Any = None, call_id: str = "c_1", **more: Any) -> None:
        self.say({"type": "call", "call_id": call_id, "fn_name": name, "args": args or {}, **more})

    def run(self, name: str, args: Any = None, **more: Any) -> Frame:
        """Call a function that asks nothing; the frame that ends it."""
        self.call(name, args, **more)
        return self.hear()

    def answer(self, request: Frame, data: Any) -> None:
        ids = {"call_id": request["call_id"], "op_id": request["op_id"]}
        self.say({"type": "result", **ids, "data": data})

    def refuse(self, request: Frame, code: str, message: str) -> None:
        ids = {"call_id": request["call_id"], "op_id": request["op_id"]}
        self.say({"type": "result", **ids, "error": {"code": code, "message": message}})

    def end(self) -> tuple[int, str]:
        """Close its stdin; its exit code and what it wrote to stderr."""
        _, stderr = self._process.communicate(timeout=20)
        return self._process.returncode, stderr.decode()
