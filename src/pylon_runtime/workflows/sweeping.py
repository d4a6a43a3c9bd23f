"""Which workflows the log keeper forgets: those that ended long ago."""

from pylon_core.clock import Clock
from pylon_http.workflows import WorkflowStore
from pylon_runtime.sweeping import DAY_MS, Sweeper

BATCH = 100


def workflow_sweeper(store: WorkflowStore, clock: Clock, retention_days: int) -> Sweeper:
    return Sweeper(lambda now_ms: store.forget(now_ms - retention_days * DAY_MS, BATCH), clock)
