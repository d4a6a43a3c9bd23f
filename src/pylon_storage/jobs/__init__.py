"""Background jobs and schedules in the application's own database: ``SqlJobStore``, ``SqlScheduleStore``, and what
a transaction of rows does with jobs (``transitions``)."""

from pylon_storage.jobs.schedules import SqlScheduleStore
from pylon_storage.jobs.store import SqlJobStore

__all__ = ["SqlJobStore", "SqlScheduleStore"]
