"""A clock that stands still but for what a test lets pass."""


class SetClock:
    def __init__(self, now_ms: float = 0.0) -> None:
        self.seconds = 0.0
        self._now_ns = round(now_ms * 1_000_000)

    def now_ns(self) -> int:
        return self._now_ns + round(self.seconds * 1_000_000_000)

    def monotonic(self) -> float:
        return self.seconds

    def pass_a_second(self) -> None:
        self.seconds += 1.0
