"""Which functions an app has, as its child process announced them."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec


class FunctionKind(enum.StrEnum):
    QUERY = "query"
    MUTATION = "mutation"
    ACTION = "action"


class FunctionDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One function. ``args_schema`` maps argument names to validators (contract 07 §7); ``None``: it takes any."""

    name: str
    fn_type: FunctionKind
    args_schema: Mapping[str, Any] | None = None


Registry = Mapping[str, FunctionDefinition]
"""The functions of one child by name; never changed, only replaced together with the child."""
