"""The function runtime: the processes of each language an app has functions in, as one.

Of two functions with one name the one in the first of ``LANGUAGES`` counts. Any thread may call; it keeps
nothing of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions.registry import FileProblem, Registry
from pylon_functions.runner import Runner
from pylon_functions.workers import Turn, Workers
from pylon_runtime.function_languages import LANGUAGES
from pylon_runtime.function_launch import FunctionOptions, Launcher
from pylon_runtime.function_processes import FunctionProcesses
from pylon_runtime.function_starts import CLOSE_S
from pylon_runtime.threads import join, spawn

_log = structlog.get_logger("pylon.functions")


class FunctionRuntime:
    def __init__(self, options: FunctionOptions, clock: Clock) -> None:
        self._clock = clock
        self._languages = tuple(
            FunctionProcesses(Launcher(language, options, clock, _log_output), options.workers, clock)
            for language in LANGUAGES
        )

    def pick(self, name: str, deadline: float) -> Runner:
        for processes in self._languages:
            if name in processes.registry():
                return processes.pick(deadline)
        return self._await_start(name, deadline)

    def replace(self, runner: Runner) -> None:
        for processes in self._languages:
            processes.replace(runner)

    @contextmanager
    def isolated(self, name: str, deadline: float, turn: Turn) -> Iterator[Runner]:
        while name in self.pick(name, deadline).registry:
            for processes in self._languages:
                if name in processes.registry():
                    with processes.isolated(deadline, turn) as runner:
                        yield runner
                    return
        raise PylonError("FN_NOT_FOUND", f'Function "{name}" is not registered')

    def blame(self, runner: Runner) -> None:
        for processes in self._languages:
            processes.blame(runner)

    def is_cleared(self, runner: Runner, deadline: float) -> bool:
        return all(processes.is_cleared(runner, deadline) for processes in self._languages)

    def registry(self) -> Registry:
        first, second = (processes.registry() for processes in self._languages)
        return {**second, **first} if second else first

    def problems(self, deadline: float) -> tuple[FileProblem, ...]:
        """What is wrong with files of functions, once those that are just being loaded are."""
        for processes in self._languages:
            processes.await_decided(deadline)
        return tuple(problem for processes in self._languages for problem in processes.problems())

    def start(self) -> None:
        for processes in self._languages:
            processes.start()

    def reload(self, deadline: float) -> None:
        """Serve the code as it is now; calls under way finish on the old one. Returns once it serves.

        Raises PylonError RUNNER_NOT_STARTED when it does not start; the old code then goes on serving.
        """
        for processes in self._languages:
            processes.reload(deadline)

    def stop(self, deadline: float) -> None:
        """Let calls under way finish, end every child, kill those that have not ended at the deadline."""
        stops = [
            spawn(f"pylon-functions-stop-{number}", partial(processes.stop, deadline))
            for number, processes in enumerate(self._languages)
        ]
        join(stops, deadline + 4 * CLOSE_S, self._clock)

    def _await_start(self, name: str, deadline: float) -> Runner:
        """Nobody has the function now; perhaps one that is just starting does."""
        found: Runner | None = None
        problem: PylonError | None = None
        for processes in self._languages:
            try:
                runner = processes.pick(deadline)
            except PylonError as error:
                if problem is None or not processes.is_idle:
                    problem = error
                continue
            if name in runner.registry:
                return runner
            found = runner
        if found is None or (problem is not None and self._is_one_missing()):
            assert problem is not None
            raise problem
        return found

    def _is_one_missing(self) -> bool:
        """Whether there are functions that cannot be run now."""
        return any(not processes.registry() and not processes.is_idle for processes in self._languages)


def _log_output(line: str) -> None:
    _log.info("function_output", line=line)


_: type[Workers] = FunctionRuntime
