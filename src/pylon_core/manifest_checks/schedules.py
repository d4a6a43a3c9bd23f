"""What an app has done by the clock. Whether its functions exist cannot be known here: they are files."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pylon_core.cron import CronError, parse_cron
from pylon_core.manifest import SERVER_JOBS, AppManifest, ScheduleDef
from pylon_core.manifest_checks.findings import Findings, Pass, error, repeated
from pylon_core.names import name_problem


def _schedules(manifest: AppManifest) -> Findings:
    for position, schedule in enumerate(manifest.schedules):
        if not schedule.name:
            yield error("SCHEDULE_NAME_EMPTY", f"schedules[{position}] has an empty name.")
        elif (problem := name_problem(schedule.name)) is not None:
            yield error("SCHEDULE_NAME_INVALID", f"schedules[{position}]: the name of a schedule {problem}.")
        if not schedule.function:
            yield error("SCHEDULE_FUNCTION_EMPTY", f'Schedule "{schedule.name}" names no function.')
        elif (problem := name_problem(schedule.function)) is not None:
            yield error("SCHEDULE_FUNCTION_INVALID", f"schedules[{position}]: the name of a function {problem}.")
        if schedule.name.startswith(SERVER_JOBS):
            yield error(
                "SCHEDULE_NAME_RESERVED",
                f'Schedule "{schedule.name}": the server\'s own tasks have names that begin with "{SERVER_JOBS}".',
            )
        yield from _when(schedule)
    for name in repeated(schedule.name for schedule in manifest.schedules):
        yield error("SCHEDULE_DUPLICATE", f'Schedule "{name}" is declared more than once.')


def _when(schedule: ScheduleDef) -> Findings:
    try:
        parse_cron(schedule.cron)
    except CronError as fault:
        yield error(
            "SCHEDULE_CRON_INVALID",
            f'Schedule "{schedule.name}": in "{schedule.cron}", character {fault.column}: {fault}.',
            "minute hour day month weekday, each *, */N, or numbers and ranges with commas; 0 is Sunday",
        )
    if not _is_time_zone(schedule.timezone):
        yield error(
            "SCHEDULE_TIMEZONE_UNKNOWN",
            f'Schedule "{schedule.name}": there is no time zone "{schedule.timezone}".',
            "the names are those of the IANA database, such as Europe/Berlin",
        )


def _is_time_zone(name: str) -> bool:
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


PASSES: tuple[Pass, ...] = (_schedules,)
