"""Runs calls, each on a thread of its own: every call ends with exactly one ``return`` or ``error`` frame.

The main thread begins and abandons calls; the lock guards the map of those under way.
"""

import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pylon_functions.python.call import Call
from pylon_functions.python.channel import Channel
from pylon_functions.python.context import ActionContext, Context, MutationContext, QueryContext
from pylon_functions.python.errors import FunctionError
from pylon_functions.python.loading import LoadedFunction, Registry
from pylon_functions.python.wire import CallFrame
from pylon_functions.python.workflow import run_pass

THREADS = 64
"""Calls that run at once in one process; more wait for one of these to end."""

_CONTEXTS: dict[str, type[Context]] = {
    "query": QueryContext,
    "mutation": MutationContext,
    "action": ActionContext,
}


class Invoker:
    def __init__(self, registry: Registry, channel: Channel) -> None:
        self._registry = registry
        self._channel = channel
        self._threads = ThreadPoolExecutor(THREADS, "pylon-call")
        self._lock = threading.Lock()
        self._running: dict[str, Call] = {}

    def begin(self, frame: CallFrame) -> None:
        function = self._registry.get(frame.fn_name)
        if function is None:
            self._fail(frame, "FN_NOT_FOUND", f'Function "{frame.fn_name}" not registered')
        elif frame.fn_type not in (None, function.kind):
            message = f'Function "{frame.fn_name}" is registered as {function.kind}, not {frame.fn_type}'
            self._fail(frame, "FN_TYPE_MISMATCH", message)
        else:
            call = Call(frame, self._channel)
            with self._lock:
                self._running[frame.call_id] = call
            self._threads.submit(self._run, function, call)

    def abandon(self, call_id: str) -> None:
        """The server gave a call up: whatever its handler waits for or still asks is refused, so that it ends."""
        with self._lock:
            call = self._running.get(call_id)
        if call is not None:
            call.abandon()

    def _run(self, function: LoadedFunction, call: Call) -> None:
        try:
            value = _value(function, call)
            call.end()
            self._channel.send({"type": "return", "call_id": call.frame.call_id, "value": value})
        except FunctionError as error:
            call.end()
            self._fail(call.frame, error.code or "HANDLER_ERROR", error.message or "Handler error")
        except BaseException:  # noqa: BLE001 - the top of a handler: its text is for the operator alone
            call.end()
            print(f'"{function.name}" raised:', file=sys.stderr)
            traceback.print_exc()
            self._fail(call.frame, "HANDLER_ERROR", "Internal handler error")
        finally:
            with self._lock:
                self._running.pop(call.frame.call_id, None)

    def _fail(self, frame: CallFrame, code: str, message: str) -> None:
        self._channel.send({"type": "error", "call_id": frame.call_id, "code": code, "message": message})


def _value(function: LoadedFunction, call: Call) -> Any:
    if function.arguments is None:
        return run_pass(function.handler, call)
    return function.handler(_CONTEXTS[function.kind](call), **function.arguments.read(bytes(call.frame.args)))
