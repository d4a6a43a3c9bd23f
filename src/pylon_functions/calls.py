"""Makes calls: finds a child that has the function, begins it, and begins it anew where that is right.

A child that goes away takes no data with it, so a query or mutation is run once more; an action may have done
something already. A database that cannot put a mutation in an order with others wants it done again: the call is
given up and begun from the start of its handler.

A call that did not answer in time has its child replaced. When that one does not move any more, any of its calls
may be what keeps it: a query or mutation is then a *suspect*, the one whose time is over included, and is run
again with no other beside it. The one to blame is late there too; the others are merely later than usual.

Any thread may call ``run``.
"""

import itertools

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions import protocol
from pylon_functions.conversation import Conversation
from pylon_functions.endings import CallEnded, CallTimedOut, OutOfTime, RunnerClosed, RunnerLost
from pylon_functions.identity import without_admin
from pylon_functions.invocation import Invocation, OnceScope
from pylon_functions.protocol import RunFunction
from pylon_functions.registry import FunctionDefinition, FunctionKind, Registry
from pylon_functions.runner import Runner
from pylon_functions.serving import Serving
from pylon_functions.traces import Trace, Traces
from pylon_functions.workers import Workers
from pylon_http import RerunRefused

ATTEMPTS_MAX = 256
"""How often a mutation is begun while others keep getting ahead of it. Each round lets one of them through, so
this many may want the same row at once; the deadline usually comes first."""

TURN_TIMES_MAX = 4
"""How many times its own time a suspect waits for its turn: behind so many to blame it gives up."""

_NESTED_KINDS = (FunctionKind.QUERY, FunctionKind.MUTATION)
"""What an action may run: nothing that would be half done when it fails. Of the same a lost call is run again."""


class Calls:
    def __init__(self, workers: Workers, serving: Serving, traces: Traces, clock: Clock) -> None:
        self._workers = workers
        self._serving = serving
        self._traces = traces
        self._clock = clock
        self._numbers = itertools.count()

    def run(self, wanted: Invocation, deadline: float, outer: Conversation | None = None) -> msgspec.Raw:
        """Call a function on a child that has it, on behalf of ``outer`` if there is one.

        Raises the handler's error (400), ``CallEnded``, what ``Workers.pick`` raises, FN_NOT_FOUND,
        FN_TYPE_MISMATCH, and ``RerunRefused`` (409) for a mutation that could not get past the others in time.
        """
        allowed_s = deadline - self._clock.monotonic()
        may_run_again = True
        while True:
            runner = self._workers.pick(wanted.name, deadline)
            function = _find(runner.registry, wanted.name, wanted.kind)
            try:
                return self._run_on(runner, function, wanted, deadline, outer)
            except RunnerClosed:
                continue
            except (CallTimedOut, OutOfTime, RunnerLost) as ended:
                if isinstance(ended, CallTimedOut):
                    self._workers.replace(runner)
                if function.fn_type not in _NESTED_KINDS:
                    raise
                if self._is_suspect(ended, runner, outer):
                    break
                is_outer_lost = outer is not None and outer.runner.is_over
                if not isinstance(ended, RunnerLost) or is_outer_lost or not may_run_again:
                    raise
                may_run_again = False
                if outer is None:  # what it lost its time by was not its own doing
                    deadline = self._clock.monotonic() + allowed_s
        return self._run_apart(wanted, allowed_s, outer)

    def _is_suspect(self, ended: CallEnded, runner: Runner, outer: Conversation | None) -> bool:
        """Whether it cannot be told by which call of its child this one was ended."""
        match ended:
            case CallTimedOut():
                return outer is None and not ended.was_alone and not runner.responds(self._clock)
            case RunnerLost():
                return runner.has_strays and not (outer is not None and outer.runner.is_over)
        return outer is None and not runner.responds(self._clock)

    def _run_apart(self, wanted: Invocation, allowed_s: float, outer: Conversation | None) -> msgspec.Raw:
        """Run a suspect with a child to itself. What happens to it here is its own doing."""
        turn_at = self._clock.monotonic() + TURN_TIMES_MAX * allowed_s if outer is None else outer.deadline
        while True:
            with self._workers.isolated(wanted.name, turn_at) as runner:
                function = _find(runner.registry, wanted.name, wanted.kind)
                deadline = self._clock.monotonic() + allowed_s if outer is None else outer.deadline
                try:
                    return self._run_on(runner, function, wanted, deadline, outer)
                except RunnerClosed:
                    continue

    def find(self, name: str, kind: FunctionKind | None, deadline: float) -> FunctionDefinition:
        """What a call made now would run. Raises what ``Workers.pick`` does, FN_NOT_FOUND, FN_TYPE_MISMATCH."""
        return _find(self._workers.pick(name, deadline).registry, name, kind)

    def _run_on(
        self,
        runner: Runner,
        function: FunctionDefinition,
        wanted: Invocation,
        deadline: float,
        outer: Conversation | None,
    ) -> msgspec.Raw:
        for attempt in range(ATTEMPTS_MAX - 1):
            try:
                return self._attempt(runner, function, wanted, deadline, outer, is_rerun=attempt > 0)
            except RerunRefused:
                if self._clock.monotonic() >= deadline:
                    raise
        return self._attempt(runner, function, wanted, deadline, outer, is_rerun=True)

    def _attempt(
        self,
        runner: Runner,
        function: FunctionDefinition,
        wanted: Invocation,
        deadline: float,
        outer: Conversation | None,
        *,
        is_rerun: bool,
    ) -> msgspec.Raw:
        if function.fn_type is FunctionKind.MUTATION:
            remembered = self._serving.remembered(wanted)
            if remembered is not None:
                return remembered
        call_id = f"c_{next(self._numbers)}"
        trace = Trace(self._traces, self._clock, call_id, function, wanted.auth.user_id)
        talk = Conversation(runner, call_id, deadline, self._clock, trace, wanted, outer)
        with talk, trace:
            talk.say(protocol.call_line(call_id, function, wanted.args, wanted.auth, wanted.request))
            value = self._serve(talk, function, wanted, is_rerun=is_rerun)
            trace.returned(value)
            return value

    def _serve(
        self, talk: Conversation, function: FunctionDefinition, wanted: Invocation, *, is_rerun: bool
    ) -> msgspec.Raw:
        match function.fn_type:
            case FunctionKind.QUERY:
                return self._serving.query(talk, wanted.auth)
            case FunctionKind.MUTATION:
                return self._serving.mutation(talk, wanted, is_rerun=is_rerun)
            case FunctionKind.ACTION | FunctionKind.WORKFLOW:
                return self._serving.action(
                    talk, wanted, lambda frame, once: self._run_nested(talk, frame, wanted, once)
                )

    def _run_nested(
        self, talk: Conversation, frame: RunFunction, caller: Invocation, once: OnceScope | None
    ) -> msgspec.Raw:
        """On the child of the call that asks, if that has the function."""
        wanted = Invocation(
            str(frame.fn_name),
            frame.args,
            without_admin(caller.auth),
            kind=_nested_kind(frame.fn_type),
            is_gone=caller.is_gone,
            once=once,
        )
        if wanted.name in talk.runner.registry:
            function = _find(talk.runner.registry, wanted.name, wanted.kind)
            return self._run_on(talk.runner, function, wanted, talk.deadline, talk)
        try:
            return self.run(wanted, talk.deadline, talk)
        except CallTimedOut:
            raise OutOfTime("A function that this one called took too long.") from None
        except RunnerLost as lost:  # by that child; if it was its own, the action hears of that as well
            raise PylonError(lost.code, lost.message) from None


def _find(registry: Registry, name: str, kind: FunctionKind | None) -> FunctionDefinition:
    function = registry.get(name)
    if function is None or (kind is None and function.fn_type is FunctionKind.WORKFLOW):
        raise PylonError("FN_NOT_FOUND", f'Function "{name}" is not registered')
    if kind is not None and kind is not function.fn_type:
        raise PylonError("FN_TYPE_MISMATCH", f'Function "{name}" is registered as {function.fn_type}, not {kind}')
    return function


def _nested_kind(asked: object) -> FunctionKind:
    for kind in _NESTED_KINDS:
        if asked == kind.value:
            return kind
    raise PylonError("FN_TYPE_MISMATCH", "An action runs queries and mutations.")
