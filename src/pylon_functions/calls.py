"""Makes calls: finds a child that has the function, begins it, and begins it anew where that is right.

A database that cannot put a mutation in an order with others wants it done again: the call is given up and begun
from the start of its handler.

A child that goes away takes no data with it, so its queries and mutations are run again. A call that did not
answer in time has its child replaced; when that one does not move any more, the same is true of its calls. Any of
them may be what ended the child or keeps it from moving, the one whose time is over included: each is a *suspect*,
and is run again with no other beside it: first briefly, so that no suspect waits long for the others, then with
all its time. The one to blame is lost or late there too; the others are merely later than usual. Its function is
remembered, and its next calls are run apart at once (``Offenders``).

An action may have done something already, so it is not tried, but its next call is. Lost with a child that did not
move, it waits to hear of another that is to blame, and when its own time is over first, that is how it ended.

A mutation whose time went by while it waited for the database has time once more when another call was late
meanwhile: that one may have kept the transaction for itself.

Any thread may call ``run``.
"""

import itertools
from contextlib import suppress

import msgspec

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions import protocol
from pylon_functions.conversation import LOOK_S, Conversation
from pylon_functions.endings import CallEnded, CallerGone, CallTimedOut, OutOfTime, RunnerClosed, RunnerLost
from pylon_functions.identity import without_admin
from pylon_functions.invocation import Invocation, OnceScope, Origin
from pylon_functions.late_calls import LateCalls
from pylon_functions.offenders import Offenders
from pylon_functions.protocol import RunFunction
from pylon_functions.registry import FunctionDefinition, FunctionKind, Registry
from pylon_functions.runner import Runner
from pylon_functions.serving import Serving
from pylon_functions.traces import Trace, Traces
from pylon_functions.workers import Turn, Workers
from pylon_http import RerunRefused

ATTEMPTS_MAX = 256
"""How often a mutation is begun while others keep getting ahead of it. Each round lets one of them through, so
this many may want the same row at once; the deadline usually comes first."""

BRIEF_PART = 8
"""A suspect is first tried for this part of its time."""
BRIEF_S_MIN = 0.5
TURN_TIMES_BRIEF = 1
TURN_TIMES_FULL = 2
"""How many times its own time a suspect waits for its turn: behind so many to blame it gives up."""

NEWS_S = 0.5
"""How long to wait for news of a call that was late at the same time."""

_NESTED_KINDS = (FunctionKind.QUERY, FunctionKind.MUTATION)
"""What an action may run: nothing that would be half done when it fails. Of the same a lost call is run again."""


class Calls:
    def __init__(self, workers: Workers, serving: Serving, traces: Traces, clock: Clock) -> None:
        self._workers = workers
        self._serving = serving
        self._traces = traces
        self._clock = clock
        self._late = LateCalls(clock)
        self._offenders = Offenders(clock)
        self._numbers = itertools.count()

    def run(self, wanted: Invocation, deadline: float, outer: Conversation | None = None) -> msgspec.Raw:
        """Call a function on a child that has it, on behalf of ``outer`` if there is one.

        Raises the handler's error (400), ``CallEnded``, what ``Workers.pick`` raises, FN_NOT_FOUND,
        FN_TYPE_MISMATCH, and ``RerunRefused`` (409) for a mutation that could not get past the others in time.
        """
        begun = self._clock.monotonic()
        allowed_s = deadline - begun
        if self._offenders.goes_apart(wanted.name):
            self.find(wanted.name, wanted.kind, wanted.origin, deadline)
            return self._try_apart(wanted, Turn.KNOWN, allowed_s, allowed_s, outer, None)
        may_run_again = True
        while True:
            runner = self._workers.pick(wanted.name, deadline)
            function = _find(runner.registry, wanted.name, wanted.kind, wanted.origin)
            try:
                return self._run_on(runner, function, wanted, deadline, outer)
            except RunnerClosed:
                continue
            except (CallTimedOut, OutOfTime, RunnerLost) as ended:
                if isinstance(ended, CallTimedOut):
                    self._workers.replace(runner)
                if function.fn_type not in _NESTED_KINDS:
                    if not isinstance(ended, OutOfTime):
                        self._offenders.suspect(wanted.name)
                    if isinstance(ended, RunnerLost) and not self._is_cleared(runner, wanted, deadline):
                        raise CallTimedOut from None
                    raise
                if self._is_suspect(ended, runner, outer):
                    break
                if isinstance(ended, CallTimedOut):
                    self._offenders.suspect(wanted.name)
                if not may_run_again or not self._is_anothers_doing(ended, begun, outer):
                    raise
                may_run_again = False
                if outer is None:
                    deadline = self._clock.monotonic() + allowed_s
        return self._run_apart(wanted, allowed_s, outer, runner)

    def _is_suspect(self, ended: CallEnded, runner: Runner, outer: Conversation | None) -> bool:
        """Whether it cannot be told by which call of its child this one was ended."""
        match ended:
            case CallTimedOut():
                return outer is None and not ended.was_alone and not runner.responds(self._clock)
            case RunnerLost():
                return outer is None or not outer.runner.is_over
        return outer is None and not runner.responds(self._clock)

    def _is_anothers_doing(self, ended: CallEnded, begun: float, outer: Conversation | None) -> bool:
        """Whether a query or mutation lost its time by what is not its own doing."""
        return isinstance(ended, OutOfTime) and outer is None and self._late.is_one_since(begun, NEWS_S)

    def _is_cleared(self, runner: Runner, wanted: Invocation, deadline: float) -> bool:
        """Whether an action that was lost with its child had no part in that, as far as is known in its time."""
        while True:
            look_at = min(self._clock.monotonic() + LOOK_S, deadline)
            if self._workers.is_cleared(runner, look_at):
                return True
            if self._clock.monotonic() >= deadline:
                return False
            if wanted.is_gone is not None and wanted.is_gone():
                raise CallerGone from None

    def _run_apart(
        self, wanted: Invocation, allowed_s: float, outer: Conversation | None, shared: Runner
    ) -> msgspec.Raw:
        """Run a suspect with a child to itself. What happens to it there in all its time is its own doing."""
        brief_s = max(BRIEF_S_MIN, allowed_s / BRIEF_PART)
        if brief_s < allowed_s:
            with suppress(CallTimedOut, OutOfTime):
                return self._try_apart(wanted, Turn.BRIEF, brief_s, TURN_TIMES_BRIEF * allowed_s, outer, shared)
        return self._try_apart(wanted, Turn.FULL, allowed_s, TURN_TIMES_FULL * allowed_s, outer, shared)

    def _try_apart(
        self,
        wanted: Invocation,
        turn: Turn,
        limit_s: float,
        turn_s: float,
        outer: Conversation | None,
        shared: Runner | None,
    ) -> msgspec.Raw:
        """``shared`` is the child that the others of may be cleared by it."""
        end = float("inf") if outer is None else outer.deadline
        turn_at = min(self._clock.monotonic() + turn_s, end)
        while True:
            with self._workers.isolated(wanted.name, turn_at, turn) as runner:
                function = _find(runner.registry, wanted.name, wanted.kind, wanted.origin)
                try:
                    return self._run_on(
                        runner, function, wanted, min(self._clock.monotonic() + limit_s, end), outer
                    )
                except RunnerClosed:
                    continue
                except RunnerLost:
                    self._offenders.convict(wanted.name)
                    raise
                except CallTimedOut:
                    if turn is not Turn.BRIEF and not runner.responds(self._clock):
                        self._offenders.convict(wanted.name)
                        if shared is not None:
                            self._workers.blame(shared)
                    raise

    def find(self, name: str, kind: FunctionKind | None, origin: Origin, deadline: float) -> FunctionDefinition:
        """What a call made now would run. Raises what ``Workers.pick`` does, FN_NOT_FOUND, FN_TYPE_MISMATCH."""
        return _find(self._workers.pick(name, deadline).registry, name, kind, origin)

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
            except CallTimedOut:
                self._late.note()
                raise
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
            origin=Origin.SERVER,
            is_gone=caller.is_gone,
            once=once,
        )
        if wanted.name in talk.runner.registry:
            function = _find(talk.runner.registry, wanted.name, wanted.kind, wanted.origin)
            return self._run_on(talk.runner, function, wanted, talk.deadline, talk)
        try:
            return self.run(wanted, talk.deadline, talk)
        except CallTimedOut:
            raise OutOfTime("A function that this one called took too long.") from None
        except RunnerLost as lost:  # by that child; if it was its own, the action hears of that as well
            raise PylonError(lost.code, lost.message) from None


def _find(registry: Registry, name: str, kind: FunctionKind | None, origin: Origin) -> FunctionDefinition:
    """What is not there for the caller is refused in the words for what is not there at all."""
    function = registry.get(name)
    if function is None or not _is_there(function, kind, origin):
        raise PylonError("FN_NOT_FOUND", f'Function "{name}" is not registered')
    if kind is not None and kind is not function.fn_type:
        raise PylonError("FN_TYPE_MISMATCH", f'Function "{name}" is registered as {function.fn_type}, not {kind}')
    return function


def _is_there(function: FunctionDefinition, kind: FunctionKind | None, origin: Origin) -> bool:
    if function.is_internal and origin is Origin.OUTSIDE:
        return False
    return kind is not None or function.fn_type is not FunctionKind.WORKFLOW


def _nested_kind(asked: object) -> FunctionKind:
    for kind in _NESTED_KINDS:
        if asked == kind.value:
            return kind
    raise PylonError("FN_TYPE_MISMATCH", "An action runs queries and mutations.")
