"""When a cron expression comes next, over months, leap years and the changes of clocks."""

from datetime import datetime

import pytest

from pylon_core.cron import parse_cron
from pylon_runtime.jobs.cron import next_after, time_zone


@pytest.mark.parametrize(
    ("cron", "zone", "after", "times"),
    [
        pytest.param(
            "0 9 * * 1-5",
            "UTC",
            "2026-01-02T09:00",
            ["2026-01-05T09:00+00:00", "2026-01-06T09:00+00:00"],
            id="weekdays, behind the time itself",
        ),
        pytest.param(
            "0 9 13 * 5", "UTC", "2026-01-01T00:00", ["2026-02-13T09:00+00:00"], id="both days must match"
        ),
        pytest.param(
            "0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00+00:00"], id="only in a leap year"
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T03:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
            id="a time that spring leaves out",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T03:00",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
            id="a time that comes twice in autumn",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T01:59",
            ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00"],
            id="every half hour goes on",
        ),
        pytest.param("0 0 1 1 *", "Asia/Kolkata", "2026-06-01T00:00", ["2027-01-01T00:00+05:30"], id="half hours"),
    ],
)
def test_times_follow_each_other(cron: str, zone: str, after: str, times: list[str]) -> None:
    tz = time_zone(zone)
    moment = int(datetime.fromisoformat(after).replace(tzinfo=tz).timestamp()) * 1000

    for expected in times:
        found = next_after(parse_cron(cron), tz, moment)
        assert found is not None
        assert datetime.fromtimestamp(found / 1000, tz).isoformat(timespec="minutes") == expected
        moment = found


def test_milliseconds_do_not_bring_a_time_back() -> None:
    assert next_after(parse_cron("* * * * *"), time_zone("UTC"), 60_001) == 120_000
    assert next_after(parse_cron("* * * * *"), time_zone("UTC"), 119_999) == 120_000
