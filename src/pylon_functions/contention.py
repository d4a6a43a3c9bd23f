"""Which mutations are worth trying out beside the others.

One whose trial was refused, because others had changed what it saw, is run in a transaction from the start for a
while: a row that everybody wants is passed on faster than it is fought for. Any thread may call; counts that are
lost to a race only shift the next trial.
"""

CALLS_APART = 64
"""How many calls of a function after a refused trial are not tried out."""


class Contention:
    """Keeps one number for each function that lost a trial; there are only as many as the app has."""

    def __init__(self) -> None:
        self._apart: dict[str, int] = {}

    def allows_trial(self, function: str) -> bool:
        left = self._apart.get(function, 0)
        if left:
            self._apart[function] = left - 1
        return not left

    def refused(self, function: str) -> None:
        self._apart[function] = CALLS_APART
