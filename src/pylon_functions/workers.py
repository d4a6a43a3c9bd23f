"""What the host asks of the child processes, whatever language their functions are written in."""

import enum
from contextlib import AbstractContextManager
from typing import Protocol

from pylon_functions.registry import Registry
from pylon_functions.runner import Runner


class Turn(enum.Enum):
    """In which order calls are given a process apart, and how many of them at once."""

    BRIEF = enum.auto()
    """A suspect that has but a part of its time."""
    FULL = enum.auto()
    """A suspect that has all of it."""
    KNOWN = enum.auto()
    """A call of a function that ended or blocked its process lately."""


class Workers(Protocol):
    """The child processes, kept alive by somebody else. Any thread may call it."""

    def pick(self, name: str, deadline: float, /) -> Runner:
        """The open runner with the fewest calls among those that have the function, or any open one when none has
        it; waits for one that is just starting.

        Raises PylonError FUNCTIONS_NOT_AVAILABLE (503) when there can be none, saying what to do about it, and
        RUNNER_NOT_STARTED (503) when none came up again in time.
        """

    def replace(self, runner: Runner) -> None:
        """A handler of this one did not answer in time: put another in its place, at once."""

    def isolated(self, name: str, deadline: float, turn: Turn, /) -> AbstractContextManager[Runner]:
        """A runner that nobody else is given meanwhile and that nothing is at work in. There are a few; callers
        are served in the order of their turns, and else in that in which they came.

        Raises as ``pick`` does, ``OutOfTime`` when it was not this caller's turn before the deadline, and
        ``KeptOut`` when too many wait whose turn is ``KNOWN``.
        """

    def blame(self, runner: Runner, /) -> None:
        """A call that this one had was found to be what keeps a runner from moving."""

    def is_cleared(self, runner: Runner, deadline: float, /) -> bool:
        """Whether the calls that went away with this runner have done nothing: it just ended, or was ended because
        of a call that is known by now. Waits for that to be known; false when it is not at the deadline."""

    def registry(self) -> Registry:
        """The functions that a call made now would find; empty when there are no workers."""
