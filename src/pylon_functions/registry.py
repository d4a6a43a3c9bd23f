"""Which functions an app has, as its child process announced them."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec


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
    """What keeps a file of the functions folder, or something in it, from being used; for its author."""

    file: str
    line: int | None
    message: str


Registry = Mapping[str, FunctionDefinition]
"""The functions of one child by name; never changed, only replaced together with the child."""
