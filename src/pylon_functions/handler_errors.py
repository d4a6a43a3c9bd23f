"""What a caller is told of how a handler ended, whatever the handler's process says of it. Pure.

Both languages check what their handlers throw, and log what is not for the caller; but a process runs an app's
code, which may write frames of its own, so the server looks at every one again.
"""

from pylon_core.errors import PylonError
from pylon_functions.protocol import Failure
from pylon_functions.python.errors import is_error_code

MESSAGE_CHARACTERS_MAX = 4_000


def handler_error(frame: Failure) -> PylonError:
    """An ended handler's error, its values as untrusted as everything it sends."""
    if frame.code is None or frame.code == "":
        return PylonError("HANDLER_ERROR", _text(frame.message), status=400)
    if not is_error_code(frame.code):
        return PylonError("HANDLER_ERROR", "Internal handler error", status=400)
    return PylonError(frame.code, _text(frame.message), status=400)


def _text(message: object) -> str:
    if not isinstance(message, str):
        return "Internal handler error"
    return message if len(message) <= MESSAGE_CHARACTERS_MAX else f"{message[: MESSAGE_CHARACTERS_MAX - 1]}…"
