"""Why a call ends before its handler does. Each of these ends the call with all that it was made on behalf of;
what a nested call fails with otherwise is for the handler that made it."""

from pylon_core.errors import PylonError


class CallEnded(PylonError):  # noqa: N818 - a fact about the call, as are the others here
    """The root: the handler is told to give up, and what it did in a transaction is undone."""


class CallTimedOut(CallEnded):
    """The child did not speak in time."""

    def __init__(self) -> None:
        super().__init__("FN_TIMEOUT", "Function exceeded the configured call timeout")
        self.was_alone: bool | None = None
        """Whether no other handler was at work in the child; set when the call is given up."""


class OutOfTime(CallEnded):
    """The call's time is over, and its child is not to blame."""

    def __init__(self, message: str) -> None:
        super().__init__("FN_TIMEOUT", message)


class Flooded(CallEnded):
    """The handler asked for more than is kept."""

    def __init__(self) -> None:
        super().__init__("PROTOCOL_ERROR", "The function asked for too much at once.")


class CallerGone(CallEnded):
    """Nobody wants the answer any more, so nobody sees this."""

    def __init__(self) -> None:
        super().__init__("CALLER_GONE", "The caller went away before the function ended.")


class RunnerLost(CallEnded):
    """The child went away with the call unfinished: nothing it did in a transaction remains."""

    def __init__(self) -> None:
        super().__init__("RUNNER_EXITED", "The function's process ended before the function did.")


class KeptOut(CallEnded):
    """The function lately ended or blocked its process, and enough calls of it wait for one apart; not begun."""

    def __init__(self) -> None:
        super().__init__(
            "RUNNER_EXITED", "This function keeps ending or blocking its process; too many calls of it wait."
        )


class RunnerClosed(PylonError):  # noqa: N818
    """The child takes no new calls; this one was not begun, so another child may have it."""

    def __init__(self) -> None:
        super().__init__("RUNNER_NOT_STARTED", "The function runtime is restarting.")
