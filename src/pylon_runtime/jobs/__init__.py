"""Running background jobs: who does which (``JobRunner``), what is done (``Handlers``), and what begins by the
clock (``Scheduler``)."""

from pylon_runtime.jobs.attempts import Attempt, Handler, Hopeless, NotNow, TooEarly
from pylon_runtime.jobs.background import BackgroundJobs, JobStores
from pylon_runtime.jobs.functions import FunctionJobs
from pylon_runtime.jobs.handlers import Handlers
from pylon_runtime.jobs.runner import JobLimits, JobRunner
from pylon_runtime.jobs.scheduler import Scheduler
from pylon_runtime.jobs.schedules import Schedules, Task
from pylon_runtime.jobs.sweeping import job_sweeper

__all__ = [
    "Attempt",
    "BackgroundJobs",
    "FunctionJobs",
    "Handler",
    "Handlers",
    "Hopeless",
    "JobLimits",
    "JobRunner",
    "JobStores",
    "NotNow",
    "Scheduler",
    "Schedules",
    "Task",
    "TooEarly",
    "job_sweeper",
]
