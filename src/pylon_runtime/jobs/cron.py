"""When a cron expression is next: in a time zone, over the changes of its clocks (by ``cronsim``). Pure.

What happens at a fixed time of day happens on each day once. A time that the clocks jump over in spring counts
when they have jumped; of a time that they show twice in autumn the first counts. What happens every so many
minutes or hours goes on so in real time. All five fields must match.
"""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim

from pylon_core.cron import CronExpression

MINUTE_MS = 60_000


def time_zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def next_after(cron: CronExpression, zone: tzinfo, after_ms: int) -> int | None:
    """The first time behind ``after_ms``, in milliseconds; ``None`` when there is none in fifty years."""
    simulation = CronSim(cron.text, datetime.fromtimestamp(after_ms // 1000, zone))
    simulation.day_and = True
    try:
        return int(next(simulation).timestamp()) * 1000
    except StopIteration:
        return None
