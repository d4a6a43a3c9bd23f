"""A function host over a store with jobs, at a time of the test's choosing."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_http import Filter
from pylon_http.jobs import Job, JobStatus, NewJob
from pylon_storage.jobs import SqlJobStore
from tests.pylon_functions.lots import MANIFEST
from tests.pylon_functions.scripted_child import Frame, ScriptedChild, ScriptedWorkers, saying
from tests.pylon_functions.set_clock import SetClock
from tests.support.engines import ENGINES, engine_of_tests
from tests.support.waiting import until

KINDS = {"q": "query", "m": "mutation", "a": "action", "w": "workflow"}
NOW_MS = 1_767_225_600_000


class Rig:
    def __init__(self) -> None:
        self.clock = SetClock(NOW_MS)
        self.store = ENGINES[engine_of_tests()](MANIFEST, {"Lot": frozenset()}, self.clock)
        self.jobs = SqlJobStore(self.store.tables, self.clock)

    def run(self, child: ScriptedChild, name: str, auth: AuthContext = ANONYMOUS, **members: Any) -> msgspec.Raw:
        host = FunctionHost(MANIFEST, self.store, ScriptedWorkers(child), self.clock, 20.0)
        return host.run(Invocation(name, {}, auth, **members))

    def answers(self, kind: str, *frames: Frame, auth: AuthContext = ANONYMOUS) -> list[Frame]:
        """What a handler that sends these is answered."""
        child = ScriptedChild(saying(*frames), **KINDS)
        self.run(child, kind, auth)
        asked = sum(frame["type"] not in ("return", "error") for frame in frames)
        until(lambda: len(child.answers()) == asked, "everything was answered")
        return child.answers()

    def scheduled(self) -> Sequence[Job]:
        return self.jobs.page(None, None, 100)

    def titles(self) -> list[str]:
        with self.store.read() as reader:
            return [row["title"] for row in reader.query("Lot", Filter())]


class Claimed:
    """A job that a worker has begun."""

    def __init__(self, rig: Rig) -> None:
        self._jobs = rig.jobs
        self.id = rig.jobs.enqueue(NewJob(name="m"))
        (claimed,) = rig.jobs.claim("worker", 1)
        self.claim = claimed.claim

    @property
    def status(self) -> JobStatus:
        job = self._jobs.find(self.id)
        assert job is not None
        return job.status
