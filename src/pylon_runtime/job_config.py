"""How many jobs a server runs, how long each may take and is kept: the variables, and ``JobConfig``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pylon_runtime.settings import Setting, seconds, whole

JOB_WORKERS = Setting(
    "PYLON_JOB_WORKERS",
    whole(0, 256),
    "8",
    "Background jobs that a server runs at once. One that waits for the network costs little; on Postgres a "
    "mutation has a connection meanwhile. 0: this server runs none, others on the same database do.",
)
JOB_TIMEOUT = Setting(
    "PYLON_JOB_TIMEOUT",
    seconds(1, 86_400),
    "300",
    "Seconds that one attempt at a job may take. Queries and mutations have PYLON_FN_CALL_TIMEOUT also as jobs.",
)
JOB_RETENTION_DAYS = Setting(
    "PYLON_JOB_RETENTION_DAYS",
    whole(1, 3650),
    "7",
    "Days for which jobs that have ended can be looked at; dead ones for 30 at least.",
)

JOB_SETTINGS: tuple[Setting[Any], ...] = (JOB_WORKERS, JOB_TIMEOUT, JOB_RETENTION_DAYS)


@dataclass(frozen=True)
class JobConfig:
    workers: int
    timeout_s: float
    retention_days: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "JobConfig":
        return cls(JOB_WORKERS.read(environ), JOB_TIMEOUT.read(environ), JOB_RETENTION_DAYS.read(environ))
