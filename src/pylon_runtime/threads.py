"""Where threads are made, and where they are waited for.

Every thread of the server has a name and comes from ``spawn``; every owner of threads ends with ``join``,
which waits no longer than it was told and names whatever did not end. Any thread may call either.
"""

import threading
from collections.abc import Callable, Iterable

import structlog

from pylon_core.clock import Clock

_log = structlog.get_logger(__name__)


def spawn(
    name: str, target: Callable[[], None], *, failed: Callable[[BaseException], None] | None = None
) -> threading.Thread:
    """Start a thread; what escapes from ``target`` is logged and given to ``failed``.

    The thread is a daemon: one that outlives its deadline has been reported by ``join`` and must not keep the
    process from ending.
    """

    def run() -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - the top of a thread: nobody else would hear of it
            _log.critical("thread_failed", thread=name, exc_info=error)
            if failed is not None:
                failed(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def join(threads: Iterable[threading.Thread], deadline: float, clock: Clock) -> list[str]:
    """Wait until all have ended or ``clock`` reaches ``deadline``; the names of those still running, logged."""
    late = []
    for thread in threads:
        if thread is threading.current_thread():
            continue
        thread.join(max(0.0, deadline - clock.monotonic()))
        if thread.is_alive():
            late.append(thread.name)
    if late:
        _log.error("threads_did_not_stop", threads=late)
    return late
