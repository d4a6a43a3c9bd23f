"""What an app's Python functions are written with.

    from pylon_functions import mutation, MutationContext

    @mutation
    def place_bid(ctx: MutationContext, lot: str, amount: int) -> str:
        ...

A function is called by the name of its ``def``, its arguments by theirs, checked by their type hints.
"""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from pylon_functions.python.context import ActionContext, MutationContext, QueryContext
from pylon_functions.python.workflow import WorkflowContext

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Function(Generic[C, P, R]):
    """A handler with its kind and name. It is called as the handler itself, which is how tests call it."""

    def __init__(
        self,
        kind: str,
        name: str,
        handler: Callable[Concatenate[C, P], R],
        options: Mapping[str, Any] | None = None,
        *,
        internal: bool = False,
    ) -> None:
        if not isinstance(internal, bool):  # taken for false, it would be open to everybody
            raise TypeError("internal is True or False")
        self.kind = kind
        self.name = name
        self.handler = handler
        self.options = options
        self.is_internal = internal
        self.__doc__ = handler.__doc__

    def __call__(self, ctx: C, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.handler(ctx, *args, **kwargs)


class _Decorator(Generic[C]):
    """``@query``, or ``@query(name="lotById")`` for another name than that of the ``def``; with ``internal=True``
    only the app's own functions, jobs and schedules call it, and nobody from outside."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @overload
    def __call__(self, handler: Callable[Concatenate[C, P], R], /) -> Function[C, P, R]: ...

    @overload
    def __call__(
        self, /, *, name: str | None = None, internal: bool = False
    ) -> Callable[[Callable[Concatenate[C, P], R]], Function[C, P, R]]: ...

    def __call__(self, handler: Any = None, /, *, name: str | None = None, internal: bool = False) -> Any:
        if handler is None:
            return lambda named: Function(self._kind, name or named.__name__, named, internal=internal)
        return Function(self._kind, handler.__name__, handler)


query: _Decorator[QueryContext] = _Decorator("query")
"""A function that only reads, all of it from one state of the database."""
mutation: _Decorator[MutationContext] = _Decorator("mutation")
"""A function that is one transaction: it commits on return and leaves nothing when it raises. It may be run again
when others changed the same rows, so effects outside the database belong in actions."""
action: _Decorator[ActionContext] = _Decorator("action")
"""A function that talks to the outside and reaches the database only through queries and mutations."""


def workflow(
    name: str,
    *,
    description: str = "",
    max_retries: int = 3,
    step_timeout_secs: int = 60,
    internal: bool = False,
) -> Callable[[Callable[[WorkflowContext], R]], Function[WorkflowContext, [], R]]:
    """A function that outlives restarts, step by step (see ``WorkflowContext``). With ``internal=True`` only the
    app's own functions begin it."""
    options = {
        "description": description,
        "max_retries": max_retries,
        "step_timeout_secs": step_timeout_secs,
    }
    return lambda handler: Function("workflow", name, handler, options, internal=internal)
