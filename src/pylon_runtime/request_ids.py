"""Request ids: the client's own when it is harmless to repeat, else one of ours, made only when needed.

Ours are a random part drawn when the server starts and a counter, so ids of several servers do not meet.
Any thread may call.
"""

import itertools
import re

from pylon_auth import RandomBytes

_HARMLESS = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class RequestIds:
    def __init__(self, random_bytes: RandomBytes) -> None:
        self._prefix = random_bytes(6).hex()
        self._numbers = itertools.count(1)

    def of(self, sent: str | None) -> str:
        """The id a client sent in ``X-Request-Id``, when it may stand in logs and headers, or a new one."""
        if sent is not None and _HARMLESS.match(sent):
            return sent
        return f"{self._prefix}-{next(self._numbers):x}"
