"""The route table: from a method and a path to a handler, one dictionary look-up per path segment.

Patterns are written as in the contract, ``/api/entities/<entity>/<id>``. A path is split first and
percent-decoded after, so an encoded slash stays inside its segment. A literal segment wins over a placeholder
(at the end of a path: where it takes the method), and a placeholder never matches an empty segment. A pattern may
end in ``<name...>``, which matches all the rest of a path, slashes included, where nothing else answers.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from pylon_core.errors import PylonError
from pylon_http import HttpMethod, Response
from pylon_router.context import Call, Handler, RouterContext


class Route(NamedTuple):
    method: str
    pattern: str
    handler: Handler


class _Node:
    """One step of a path: what may follow it, and who answers when the path ends here."""

    __slots__ = ("handlers", "literals", "placeholder", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.placeholder: _Node | None = None
        self.rest: _Node | None = None
        self.handlers: dict[str, Handler] = {}

    def step(self, segment: str) -> "_Node":
        """The node that ``segment`` of a pattern leads to, made when it is new."""
        if not segment.startswith("<"):
            return self.literals.setdefault(segment, _Node())
        if segment.endswith("...>"):
            if self.rest is None:
                self.rest = _Node()
            return self.rest
        if self.placeholder is None:
            self.placeholder = _Node()
        return self.placeholder

    def handler(self, method: str) -> Handler | None:
        return self.handlers.get(method) or self.handlers.get(ANY_METHOD)


class RouteTable:
    """All routes of a program. Built once; any thread may call ``find``."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.pattern.split("/")[1:]:
                node = node.step(segment)
            if route.method in node.handlers:
                raise ValueError(f"two handlers for {route.method} {route.pattern}")
            node.handlers[route.method] = route.handler

    def find(self, method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
        """The handler of a path and the values of its placeholders, in order.

        Raises NOT_FOUND when nothing is served there with this method.
        """
        segments = path.split("/")
        if "%" in path:
            segments = [unquote(segment) for segment in segments]
        if segments[0]:
            raise no_route()
        node = self._root
        values: list[str] = []
        for segment in segments[1:-1]:
            child = node.literals.get(segment)
            if child is None:
                child = node.placeholder
                if child is None or not segment:
                    return self._find_rest(method, segments)
                values.append(segment)
            node = child
        last = segments[-1]
        if (literal := node.literals.get(last)) and (handler := literal.handler(method)):
            return handler, tuple(values)
        if last and (placeholder := node.placeholder) and (handler := placeholder.handler(method)):
            return handler, (*values, last)
        return self._find_rest(method, segments)

    def _find_rest(self, method: str, segments: Sequence[str]) -> tuple[Handler, tuple[str, ...]]:
        """The handler of the longest pattern that the path begins with, and which takes what remains."""
        node = self._root
        values: list[str] = []
        found: tuple[Handler, tuple[str, ...]] | None = None
        for position, segment in enumerate(segments[1:], 1):
            rest = "/".join(segments[position:])
            if rest and node.rest and (handler := node.rest.handler(method)):
                found = handler, (*values, rest)
            child = node.literals.get(segment)
            if child is None:
                child = node.placeholder
                if child is None or not segment:
                    break
                values.append(segment)
            node = child
        if found is None:
            raise no_route()
        return found


ANY_METHOD = "*"
"""The method of a row that answers what the other rows of its pattern do not."""


def no_route() -> PylonError:
    return PylonError("NOT_FOUND", "Nothing is served here.", hint="Check the path and the method.")


def refuse_method(_ctx: RouterContext, _call: Call) -> Response:
    """The handler of ``ANY_METHOD`` rows where the contract wants 405."""
    raise PylonError("METHOD_NOT_ALLOWED", "This URL does not take this method.")


def effective_method(method: str) -> str:
    """HEAD reads like GET (the server drops the body), and so does a method HTTP does not define."""
    return method if method in _ROUTED else HttpMethod.GET


_ROUTED = frozenset(method.value for method in HttpMethod if method is not HttpMethod.HEAD)
