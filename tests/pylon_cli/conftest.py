import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog

from pylon_cli.main import main
from tests.strategies.documents import app, policy


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command line in this process, with nothing of pylon's in the environment but what is given.

    What a command sets for the whole process is put back at the end.
    """
    interval, stack = sys.getswitchinterval(), threading.stack_size()
    for name in os.environ:
        if name.startswith("PYLON_") or name in ("DATABASE_URL", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)

    def run(*words: str | Path, **environ: str) -> Outcome:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    yield run
    structlog.reset_defaults()
    sys.setswitchinterval(interval)
    threading.stack_size(stack)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The folder of a sound app."""
    (tmp_path / "pylon.manifest.json").write_text(json.dumps(app(policies=[policy(entity="Note")])))
    return tmp_path
