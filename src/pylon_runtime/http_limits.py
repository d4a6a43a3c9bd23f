"""Every bound of the HTTP server, with the reason for its default."""

import msgspec


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    active_threads: int = 1
    """Threads that compute at once (``PYLON_ACTIVE_THREADS``). Only one can hold the interpreter lock; a second
    costs more in hand-overs of the lock than it gains in system calls (measured on two cores: 15 to 21 k reads/s
    against 25 k). Who computes for long loses the turn, see ``turn_s``."""

    turn_s: float = 0.005
    """A thread that computes for longer (twice this at most) lets another in: Python's own switch interval."""

    threads_max: int = 256
    """Threads in requests, waiting ones included; more requests queue. Upgraded sockets do not count."""

    thread_rest_s: float = 10.0
    """A thread not needed for so long ends; starting one takes a tenth of a millisecond."""

    connections_max: int = 10_000
    """A parked connection takes about 4 KiB, so this bounds memory, not speed. More are answered 503."""

    target_bytes_max: int = 8 << 10
    """What common proxies pass on."""

    header_bytes_max: int = 32 << 10
    """All header lines of a request: several large cookies and a JWT."""

    headers_max: int = 100
    """Twice what browsers and proxies together send; each costs a dictionary entry."""

    body_bytes_max: int = 10 << 20
    """Contract 01 §1.4."""

    streamed_bytes_max: int = 10 << 20
    """Declared length of a body that is read while it is handled (``PYLON_FILES_BYTES_MAX``)."""

    header_timeout_s: float = 10.0
    """From the first byte of a request to the end of its headers; they fit in a few packets."""

    idle_timeout_s: float = 75.0
    """Above the 60 seconds after which common proxies drop a connection, so that they, not we, close first."""

    progress_timeout_s: float = 30.0
    """A body or an answer of which nothing moves for so long is given up: a phone between two cells recovers."""

    bytes_per_s_min: float = 1024.0
    """Slowest pace, averaged, of a body or an answer after the first ``progress_timeout_s``: half a GPRS link."""

    linger_timeout_s: float = 2.0
    linger_bytes_max: int = 16 << 20
    """After refusing a request its rest is read and dropped within these two; closing over unread bytes would
    reset the connection, and the client would never see why. The bytes are those of a body just too large."""

    def pace_deadline(self, started: float, moved: int, now: float) -> float:
        """When a body or an answer that began at ``started``, ``moved`` bytes of which are through, has stalled
        or is too slow."""
        grace = self.progress_timeout_s
        return min(now + grace, started + grace + moved / self.bytes_per_s_min)
