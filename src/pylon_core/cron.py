"""Cron expressions as an app may write them (contract 14 §6.1), as their fields' values. Pure.

Five fields: minute, hour, day of the month, month, weekday (0 is Sunday). Each is ``*``, ``*/N``, or a comma list
of numbers and ranges. A time matches when all five do; also where both kinds of day are restricted, which is where
Unix cron wants only one of them.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

_FIELD = re.compile(r"\S+")
_NUMBER = re.compile(r"[0-9]{1,4}", re.ASCII)
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class _Kind(NamedTuple):
    name: str
    least: int
    most: int


_KINDS = (
    _Kind("minute", 0, 59),
    _Kind("hour", 0, 23),
    _Kind("day of the month", 1, 31),
    _Kind("month", 1, 12),
    _Kind("weekday", 0, 6),
)


class CronError(ValueError):
    """What is wrong, and at which character, counted from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


class CronExpression(msgspec.Struct, frozen=True):
    """``text`` in the way it was written, with single spaces; the values of each field, ascending."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]


def parse_cron(text: str) -> CronExpression:
    """Raises ``CronError``, also for a day that never comes."""
    fields = list(_FIELD.finditer(text))
    if len(fields) != len(_KINDS):
        raise CronError(f"it has {len(fields)} fields, not five: minute hour day month weekday", 1)
    values = [_values(found.group(), kind, found.start() + 1) for found, kind in zip(fields, _KINDS, strict=True)]
    minutes, hours, days, months, weekdays = values
    if days[0] > max(_DAYS_IN_MONTH[month - 1] for month in months):
        raise CronError("there is no such day in these months", fields[2].start() + 1)
    return CronExpression(" ".join(found.group() for found in fields), minutes, hours, days, months, weekdays)


def _values(text: str, kind: _Kind, column: int) -> tuple[int, ...]:
    if text == "*":
        return tuple(range(kind.least, kind.most + 1))
    if text.startswith("*/"):
        step = _number(text[2:], kind, column + 2)
        if step < 1:
            raise CronError(f"the {kind.name} has a step of 0", column + 2)
        return tuple(range(kind.least, kind.most + 1, step))
    return tuple(sorted({value for item in _items(text, kind, column) for value in item}))


def _items(text: str, kind: _Kind, column: int) -> Iterator[range]:
    for item in text.split(","):
        first, dash, last = item.partition("-")
        begin = _in_range(first, kind, column)
        end = _in_range(last, kind, column + len(first) + 1) if dash else begin
        if end < begin:
            raise CronError(f"the {kind.name} range {item} ends before it begins", column)
        yield range(begin, end + 1)
        column += len(item) + 1


def _in_range(text: str, kind: _Kind, column: int) -> int:
    number = _number(text, kind, column)
    if not kind.least <= number <= kind.most:
        raise CronError(f"the {kind.name} is from {kind.least} to {kind.most}, not {number}", column)
    return number


def _number(text: str, kind: _Kind, column: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise CronError(f"the {kind.name} has {text!r} where a number is expected", column)
    return int(text)
