"""Which jobs the log keeper forgets: those that ended long ago, and later those that died."""

from pylon_core.clock import Clock
from pylon_http.jobs import JobStore
from pylon_runtime.sweeping import DAY_MS, Sweeper

BATCH_JOBS = 500
DEAD_DAYS = 30
"""Somebody has to look at them; they are kept longer than the others."""


def job_sweeper(store: JobStore, clock: Clock, retention_days: int) -> Sweeper:
    ended_ms = retention_days * DAY_MS
    dead_ms = max(retention_days, DEAD_DAYS) * DAY_MS
    return Sweeper(lambda now_ms: store.forget(now_ms - ended_ms, now_ms - dead_ms, BATCH_JOBS), clock)
