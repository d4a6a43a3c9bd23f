"""Rules as the engine applies them: which expression decides an operation, and the conjunction of several.

Immutable once made; any thread may share them.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pylon_core.manifest import PolicyDef
from pylon_policy.auth import PolicyAuth
from pylon_policy.formula import Formula, Root, all_of
from pylon_policy.predicate import NOTHING, Values, compile_predicate


class Operation(enum.StrEnum):
    READ = "read"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


_MEMBERS: Mapping[Operation, tuple[str, ...]] = {
    Operation.READ: ("allowRead", "allow"),
    Operation.INSERT: ("allowInsert", "allowWrite", "allow"),
    Operation.UPDATE: ("allowUpdate", "allowWrite", "allow"),
    Operation.DELETE: ("allowDelete", "allowWrite", "allow"),
}

ENTITY_ROOTS: Mapping[Operation, frozenset[Root]] = {
    Operation.READ: frozenset({Root.DATA}),
    Operation.INSERT: frozenset({Root.DATA, Root.INPUT}),
    Operation.UPDATE: frozenset({Root.DATA, Root.EXISTING, Root.INPUT}),
    Operation.DELETE: frozenset({Root.DATA, Root.EXISTING}),
}
ACTION_ROOTS = frozenset({Root.INPUT})


def deciding_member(policy: PolicyDef, operation: Operation) -> str | None:
    """The wire name of the expression that decides; ``None``: this policy has nothing to say here."""
    return next((member for member in _MEMBERS[operation] if member in policy.expressions), None)


def members_for(operation: Operation) -> str:
    """For people: the members that could decide an operation."""
    return " or ".join(_MEMBERS[operation])


@dataclass(frozen=True, slots=True)
class Rule:
    """What one policy says of one operation."""

    policy: str
    formula: Formula


class RuleSet:
    """Every rule must hold."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.formula = all_of(rule.formula for rule in rules)
        self.holds = compile_predicate(self.formula)
        each = [self.holds] if len(rules) == 1 else [compile_predicate(rule.formula) for rule in rules]
        self._each = tuple(zip((rule.policy for rule in rules), each, strict=True))

    def denying(
        self, auth: PolicyAuth, data: Values, existing: Values = NOTHING, payload: Values = NOTHING
    ) -> str | None:
        """The policy that denies first; ``None`` when none does."""
        for policy, holds in self._each:
            if not holds(auth, data, existing, payload):
                return policy
        return None
