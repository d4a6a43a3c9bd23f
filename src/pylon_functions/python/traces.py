"""What goes wrong in the app's own code, told to its author on stderr: without the frames that only led there."""

import importlib
import os
import traceback
from contextlib import suppress
from pathlib import Path

LINES_MAX = 30
"""Calls in a trace: the last ones, where the reason is. A recursion without end has a thousand."""

_LED_THERE = (str(Path(__file__).parent), importlib.__file__, "<frozen ", "<string>")


def of_the_app(error: BaseException) -> str:
    shown = traceback.TracebackException.from_exception(error)
    calls = [call for call in shown.stack if not call.filename.startswith(_LED_THERE)]
    shown.stack = traceback.StackSummary.from_list(calls[-LINES_MAX:])
    return "".join(shown.format()).rstrip()


def tell(text: str) -> None:
    """Past ``sys.stderr``, which is the app's to replace or close: nothing may keep a call from ending."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))
