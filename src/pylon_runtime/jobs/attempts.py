"""One attempt at a job, as whoever does it sees it.

A ``Handler`` does the job: it returns when the job is done, and raises when it is to be tried again. It runs on a
thread of the ``JobRunner``, and may run more than once for one job.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from pylon_core import jsontext
from pylon_http.jobs import ClaimedJob, Job, JobClaim, JobStore


class NotNow(Exception):  # noqa: N818 - what is the case, rather than what went wrong
    """The job cannot be tried at the moment, for no fault of its own: it does not count as an attempt."""

    def __init__(self, reason: str, delay_s: float) -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class TooEarly(Exception):  # noqa: N818 - the same
    """What this job needs is not there yet. It does not count as an attempt, and says nothing of other jobs."""

    def __init__(self, reason: str, delay_s: float) -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class Hopeless(Exception):  # noqa: N818 - the same
    """It can never be done, however often it is tried: the job is dead."""


class Attempt:
    """Used by the thread that makes it; ``deadline`` is in the clock's ``monotonic``."""

    def __init__(self, claimed: ClaimedJob, deadline: float, store: JobStore) -> None:
        self.job: Job = claimed.job
        self.claim: JobClaim = claimed.claim
        self.deadline = deadline
        self.is_completed = False
        """Whether the handler has completed the job itself, in a transaction of its own."""
        self._store = store

    def report(self, progress: Any) -> None:
        """Have everybody see how far it is: any JSON value. Now and then, since it is a write."""
        self._store.report(self.claim, msgspec.Raw(jsontext.encode(progress)))


Handler = Callable[[Attempt], None]
