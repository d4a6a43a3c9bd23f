"""A manifest's policies to rule sets, with every finding about them: runs once, at load.

A syntax error is an error that blocks the start; should a server run on regardless, that rule denies everyone.
What can only be a mistake (a path that is always null, an operation left open) is a warning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pylon_core.diagnostics import Diagnostic, Severity
from pylon_core.manifest import AppManifest, EntityDef, FieldKind, PolicyDef
from pylon_policy.expression import And, Compare, Expression, Group, In, Not, Or, Path, PolicySyntaxError
from pylon_policy.formula import FALSE, TRUE, Formula
from pylon_policy.lowering import Scope, lower
from pylon_policy.parser import parse
from pylon_policy.rules import (
    ACTION_ROOTS,
    ENTITY_ROOTS,
    Operation,
    Rule,
    RuleSet,
    deciding_member,
    members_for,
)
from pylon_policy.values import Columns

DEFAULT_RULE = "default"
"""The log's name for the rule of an entity that no policy names."""

_CLASSES: Mapping[FieldKind, type] = {
    FieldKind.STRING: str,
    FieldKind.INT: int,
    FieldKind.FLOAT: float,
    FieldKind.BOOL: bool,
    FieldKind.DATETIME: datetime,
    FieldKind.RICHTEXT: str,
    FieldKind.ID: str,
}


def columns_of(entity: EntityDef) -> Columns:
    """The class of value in each column. One of unknown kind or with arrays is left out: it reads as null."""
    kinds = {declared.name: declared.kind for declared in entity.fields if not declared.is_collection}
    return {"id": str} | {name: _CLASSES[kind] for name, kind in kinds.items() if kind is not None}


@dataclass(frozen=True, slots=True)
class CompiledPolicies:
    entities: Mapping[str, Mapping[Operation, RuleSet]]
    """Every entity of the manifest."""
    actions: Mapping[str, RuleSet]
    """Only actions that a policy names."""
    uncovered_entities: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def compile_policies(manifest: AppManifest, *, default_allow: bool) -> CompiledPolicies:
    """``default_allow`` is what an entity that no policy names gives non-admins."""
    compiler = _Compiler(manifest)
    uncovered = tuple(entity.name for entity in manifest.entities if not compiler.policies_of(entity.name))
    default = Rule(DEFAULT_RULE, TRUE if default_allow else FALSE)
    entities = {
        entity.name: dict.fromkeys(Operation, RuleSet([default]))
        if entity.name in uncovered
        else compiler.entity_rules(entity)
        for entity in manifest.entities
    }
    names = dict.fromkeys(policy.action for policy in manifest.policies if policy.action)
    actions = {name: compiler.action_rules(name) for name in names}
    return CompiledPolicies(entities, actions, uncovered, (*compiler.diagnostics, *compiler.null_paths()))


@dataclass(slots=True)
class _Source:
    """One expression of one policy, and the scopes it has been compiled for."""

    policy: str
    member: str
    expression: Expression | None
    """``None``: it does not parse."""
    scopes: list[Scope] = field(default_factory=list)

    def finding(self, severity: Severity, code: str, message: str, hint: str | None = None) -> Diagnostic:
        return Diagnostic(severity, code, f"Policy {self.policy}, {self.member}, {message}.", hint)


class _Compiler:
    def __init__(self, manifest: AppManifest) -> None:
        self._policies = manifest.policies
        self.diagnostics: list[Diagnostic] = []
        # By position: two policies may share a name until the manifest's own checks refuse them.
        self._sources: dict[tuple[int, str], _Source] = {}
        for index, policy in enumerate(self._policies):
            for member, text in policy.expressions.items():
                self._sources[index, member] = self._source(policy.name, member, text)

    def policies_of(self, entity: str) -> list[tuple[int, PolicyDef]]:
        return [(index, policy) for index, policy in enumerate(self._policies) if policy.entity == entity]

    def entity_rules(self, entity: EntityDef) -> dict[Operation, RuleSet]:
        columns = columns_of(entity)
        return {op: self._operation_rules(entity, op, Scope(ENTITY_ROOTS[op], columns)) for op in Operation}

    def action_rules(self, action: str) -> RuleSet:
        rules = []
        for index, policy in enumerate(self._policies):
            if policy.action != action:
                continue
            if policy.allow:
                rules.append(self._rule(index, "allow", Scope(ACTION_ROOTS)))
            else:
                rules.append(Rule(policy.name, FALSE))
                self._warn(
                    "POLICY_ACTION_CLOSED",
                    f"Policy {policy.name} names action {action} but has no allow, so only admins may call it.",
                    "Actions are decided by allow alone.",
                )
        return RuleSet(rules)

    def null_paths(self) -> Iterable[Diagnostic]:
        """A warning for each path that is null wherever its expression is used."""
        for source in self._sources.values():
            if source.expression is None or not source.scopes:
                continue
            for path in _paths(source.expression):
                if all(scope.resolve(path) is None for scope in source.scopes):
                    yield source.finding(
                        Severity.WARNING,
                        "POLICY_PATH_UNKNOWN",
                        f"line {path.line}, column {path.column}: {'.'.join(path.segments)} is always null here",
                        _advice(path, source.scopes),
                    )

    def _source(self, policy: str, member: str, text: str) -> _Source:
        try:
            return _Source(policy, member, parse(text))
        except PolicySyntaxError as error:
            source = _Source(policy, member, None)
            self._report_syntax(source, error)
            return source

    def _operation_rules(self, entity: EntityDef, operation: Operation, scope: Scope) -> RuleSet:
        rules = [
            self._rule(index, member, scope)
            for index, policy in self.policies_of(entity.name)
            if (member := deciding_member(policy, operation)) is not None
        ]
        if not rules:
            self._warn(
                "POLICY_OPERATION_OPEN",
                f"Entity {entity.name} has policies, but none for {operation}, so everyone may.",
                f"Set {members_for(operation)}.",
            )
        return RuleSet(rules)

    def _rule(self, index: int, member: str, scope: Scope) -> Rule:
        source = self._sources[index, member]
        return Rule(source.policy, self._formula(source, scope))

    def _formula(self, source: _Source, scope: Scope) -> Formula:
        if source.expression is None:
            return FALSE
        source.scopes.append(scope)
        try:
            return lower(source.expression, scope)
        except PolicySyntaxError as error:
            source.expression = None  # so that it is reported once
            self._report_syntax(source, error)
            return FALSE

    def _report_syntax(self, source: _Source, error: PolicySyntaxError) -> None:
        self.diagnostics.append(source.finding(Severity.ERROR, error.code, error.message))

    def _warn(self, code: str, message: str, hint: str) -> None:
        self.diagnostics.append(Diagnostic(Severity.WARNING, code, message, hint))


def _paths(expression: Expression) -> Iterable[Path]:
    match expression:
        case Path():
            yield expression
        case Group(inner) | Not(inner):
            yield from _paths(inner)
        case And(terms) | Or(terms):
            for term in terms:
                yield from _paths(term)
        case Compare(_, left, right):
            yield from _paths(left)
            yield from _paths(right)
        case In(left, _):
            yield from _paths(left)


def _advice(path: Path, scopes: Sequence[Scope]) -> str:
    root = path.segments[0]
    if root == "auth":
        return "auth has userId, tenantId, isAdmin and isGuest, and the calls hasRole and hasAnyRole."
    if root in ("data", "record", "existing") and any(scope.columns is not None for scope in scopes):
        if root == "existing":
            return "existing is there in update and delete rules, and has the entity's fields only."
        return "Only the entity's declared fields and id have values."
    if root in ("data", "record", "existing", "input"):
        return "An entity's rules read data, update and delete rules existing, writes and actions input.<member>."
    return "A path starts with auth, data, record, existing or input; a text stands in quotes."
