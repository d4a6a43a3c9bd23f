"""Values between Python and Postgres, on every connection alike: how parameters are sent, what columns come back
as.

A column comes back as JSON has it: a timestamp in its one spelling, a numeric as a number. Built once, shared by
all connections, changed never.
"""

from decimal import Decimal
from typing import Any

from psycopg import adapters as defaults
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.numeric import Int8Dumper

from pylon_core.datetimes import shortest

SESSION = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'"
"""What a connection must be told for ``InstantLoader`` to read its timestamps."""

_TO_SECONDS = len("2026-05-02T22:22:53")
_OFFSET = len("+00")


class InstantLoader(Loader):
    """``2026-05-02 22:22:53.25+00`` as ``2026-05-02T22:22:53.250Z``."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        if len(text) == _TO_SECONDS + _OFFSET:
            return f"{text[:10]}T{text[11:_TO_SECONDS]}Z"
        fraction = text[_TO_SECONDS + 1 : -_OFFSET].ljust(6, "0")
        return shortest(f"{text[:10]}T{text[11:_TO_SECONDS]}.{fraction}Z")


class NumberLoader(Loader):
    """A numeric, which sums and averages are: an integer when it is written as one."""

    def load(self, data: Buffer) -> Any:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(Decimal(text))


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(defaults)
    adapters.register_loader("timestamptz", InstantLoader)
    adapters.register_loader("numeric", NumberLoader)
    # By default the type depends on the size, and with it which prepared statement is used.
    adapters.register_dumper(int, Int8Dumper)
    return adapters


class Values:
    """What psycopg asks for the adapters of a new connection."""

    adapters = _adapters()
    connection = None
