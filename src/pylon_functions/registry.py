"""Which functions an app has, as its child process announced them."""

import enum
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pylon_core.manifest import SERVER_JOBS

NOT_CALLED = frozenset({"traces"})
"""``GET /api/fn/traces`` is something else."""


class FunctionKind(enum.StrEnum):
    QUERY = "query"
    MUTATION = "mutation"
    ACTION = "action"
    WORKFLOW = "workflow"
    """One pass through a workflow: called by the engine of workflows and by nobody else."""


class WorkflowOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the author of a workflow said of it; ``None``: nothing."""

    description: str | None = None
    max_retries: int | None = None
    step_timeout_secs: float | None = None
    file: str | None = None
    """Where it is written, for people to find it."""


class FunctionDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One function. ``args_schema`` maps argument names to validators (contract 07 §7); ``None``: it takes any.
    Only workflows have ``options``. An internal one is called by the server itself; from outside it is not
    there."""

    name: str
    fn_type: FunctionKind
    args_schema: Mapping[str, Any] | None = None
    options: WorkflowOptions | None = None
    is_internal: bool = msgspec.field(name="internal", default=False)
    returns: Mapping[str, Any] | None = None
    """What its value is, as a validator; ``None``: its process does not say."""


class FileProblem(msgspec.Struct, frozen=True):
    """What keeps a file of the functions folder, or something in it, from being used; for its author. ``file`` is
    empty where only the function is known."""

    file: str
    line: int | None
    message: str


Registry = Mapping[str, FunctionDefinition]
"""The functions of one child by name; never changed, only replaced together with the child."""


def usable(functions: Iterable[FunctionDefinition]) -> tuple[Registry, tuple[FileProblem, ...]]:
    """Those whose names are not the server's own, and what is wrong with the others."""
    kept: dict[str, FunctionDefinition] = {}
    problems = []
    for function in functions:
        if function.name in NOT_CALLED or function.name.startswith(SERVER_JOBS):
            problems.append(_reserved(function))
        else:
            kept[function.name] = function
    return kept, tuple(problems)


def _reserved(function: FunctionDefinition) -> FileProblem:
    file = None if function.options is None else function.options.file
    rule = f'"{function.name}"' if function.name in NOT_CALLED else f'what begins with "{SERVER_JOBS}"'
    message = f'The function "{function.name}" is left out: {rule} is the server\'s own.'
    return FileProblem(file or "", None, message)
