"""What is done for a job of which name.

Parts of the server register their handlers before jobs run; any other name is a function of the app, looked up
anew for each attempt. Any thread may call ``find`` and ``names``.
"""

from collections.abc import Callable

from pylon_runtime.jobs.attempts import Handler


class NoHandler(Exception):  # noqa: N818 - what is the case
    """Nobody knows how to do a job of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No handler registered for '{name}'")


class Handlers:
    """``otherwise`` makes the handler of a name that is not registered; it may raise ``NoHandler``."""

    def __init__(self, otherwise: Callable[[str], Handler]) -> None:
        self._otherwise = otherwise
        self._registered: dict[str, Handler] = {}

    def register(self, name: str, handler: Handler) -> None:
        """In place of whatever was registered under the name."""
        self._registered[name] = handler

    def find(self, name: str) -> Handler:
        """Raises ``NoHandler``."""
        return self._registered.get(name) or self._otherwise(name)

    def names(self) -> list[str]:
        """Of those that are registered."""
        return sorted(self._registered)


def no_handler(name: str) -> Handler:
    """For ``Handlers`` without any others."""
    raise NoHandler(name)
