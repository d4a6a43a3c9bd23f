"""Runs calls, each on a thread of its own: every call ends with exactly one ``return`` or ``error`` frame.

The main thread begins and abandons calls; the lock guards the map of those under way.
"""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from pylon_functions.python.call import Call
from pylon_functions.python.channel import Channel
from pylon_functions.python.context import ActionContext, Context, MutationContext, QueryContext
from pylon_functions.python.errors import CallAbandonedError, FunctionError, is_error_code
from pylon_functions.python.loading import LoadedFunction, Registry
from pylon_functions.python.traces import of_the_app, tell
from pylon_functions.python.wire import CallFrame
from pylon_functions.python.workflow import run_pass

THREADS = 2048
"""More than a server has calls under way. Were there fewer, actions could hold all of them and wait for the
queries they run, for which there would be none left."""

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
        frame = call.frame
        try:
            value = _ended_once(lambda: _value(function, call))
            call.end()
            self._return(function, frame, value)
        except FunctionError as error:
            call.end()
            self._refuse(function, frame, error)
        except BaseException as error:  # noqa: BLE001 - the top of a handler: its text is for the operator alone
            call.end()
            tell(f'"{function.name}" raised:\n{of_the_app(error)}')
            self._fail(frame, "HANDLER_ERROR", "Internal handler error")
        finally:
            with self._lock:
                self._running.pop(frame.call_id, None)
            sys.stdout.flush()

    def _return(self, function: LoadedFunction, frame: CallFrame, value: object) -> None:
        try:
            self._channel.send({"type": "return", "call_id": frame.call_id, "value": value})
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.EncodeError) as error:
            tell(f'What "{function.name}" returned cannot be sent as JSON: {error}')
            self._fail(frame, "HANDLER_ERROR", "Internal handler error")

    def _refuse(self, function: LoadedFunction, frame: CallFrame, error: FunctionError) -> None:
        if is_error_code(error.code):
            self._fail(frame, error.code, str(error.message or "Handler error"))
            return
        tell(f'"{function.name}" raised an error whose code is none, {error.code!r:.100}:\n{of_the_app(error)}')
        self._fail(frame, "HANDLER_ERROR", "Internal handler error")

    def _fail(self, frame: CallFrame, code: str, message: str) -> None:
        self._channel.send({"type": "error", "call_id": frame.call_id, "code": code, "message": message})


def _value(function: LoadedFunction, call: Call) -> Any:
    if call.is_abandoned:
        raise CallAbandonedError
    if function.arguments is None:
        return run_pass(function.handler, call)
    return function.handler(_CONTEXTS[function.kind](call), **function.arguments.read(bytes(call.frame.args)))


def _ended_once(run: Callable[[], Any]) -> Any:
    """A handler that forks comes back in both processes; the new one ends here, whatever it has come to."""
    process = os.getpid()
    try:
        return run()
    finally:
        if os.getpid() != process:
            os._exit(0)
