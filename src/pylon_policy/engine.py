"""The policy engine: may this identity do this to this row, and which rows may it read.

Built once from a manifest and never changed, so any thread may call anything. The admin passes every check
before an expression is looked at. Rows are given as they are or would be stored, after defaults and coercion: a
rule that sees ``1`` where the table will hold ``true`` has judged another row.
"""

import hashlib
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

from pylon_core import jsontext
from pylon_core.clock import Clock, SystemClock
from pylon_core.manifest import AppManifest
from pylon_http import Condition
from pylon_policy.auth import PolicyAuth
from pylon_policy.compiler import DEFAULT_RULE, columns_of, compile_policies
from pylon_policy.formula import FALSE
from pylon_policy.identity import IdentityView
from pylon_policy.predicate import NOTHING, RowPredicate, Values
from pylon_policy.reading import ReadAccess
from pylon_policy.refusals import RefusalLog, denial
from pylon_policy.rules import Operation, Rule, RuleSet, deciding_member

_UNKNOWN = RuleSet([Rule(DEFAULT_RULE, FALSE)])
"""For a name that is no entity: callers answer 404 first, and whoever does not gets nothing."""

LANGUAGE_VERSION = 2
"""Part of the fingerprint: raise it when the meaning of an existing expression changes."""


class PolicyEngine:
    def __init__(self, manifest: AppManifest, *, default_allow: bool, clock: Clock | None = None) -> None:
        """``default_allow`` is what an entity that no policy names gives non-admins (design §4, 8)."""
        self.refusals = RefusalLog(clock or SystemClock())
        compiled = compile_policies(manifest, default_allow=default_allow)
        self.diagnostics = compiled.diagnostics
        self.uncovered_entities = compiled.uncovered_entities
        self._actions = compiled.actions
        self._rules = compiled.entities
        self._reads = {name: rules[Operation.READ] for name, rules in compiled.entities.items()}
        self._access = {
            entity.name: ReadAccess(self._reads[entity.name].formula, columns_of(entity))
            for entity in manifest.entities
        }
        self._view = IdentityView(rules.formula for rules in self._reads.values())
        self.fingerprint = _fingerprint(manifest, self._access, default_allow=default_allow)
        """Changes whenever the rows that someone may read could have changed, or the fields of them."""

    # --- reading

    def may_read(self, entity: str, auth: PolicyAuth, row: Values) -> bool:
        return auth.is_admin or self._reads.get(entity, _UNKNOWN).holds(auth, row)

    def reader(self, entity: str, auth: PolicyAuth) -> RowPredicate:
        """``may_read`` for many rows and one identity."""
        if auth.is_admin:
            return _anything
        return partial(self._reads.get(entity, _UNKNOWN).holds, auth)

    def read_condition(self, entity: str, auth: PolicyAuth) -> Condition | None:
        """``may_read`` as SQL; ``None`` means no restriction."""
        return None if auth.is_admin else self._access[entity].condition(auth)

    def never_reads(self, entity: str, auth: PolicyAuth) -> bool:
        """Whether the identity can read no row of the entity, whatever is in it."""
        return not auth.is_admin and self._access[entity].never(auth)

    def read_fields(self, entity: str) -> frozenset[str]:
        """The row fields that decide who may read it."""
        return self._access[entity].fields

    def audience(self, auth: PolicyAuth) -> Hashable:
        """Identities of one audience may read exactly the same rows of every entity."""
        return "admin" if auth.is_admin else (self._view.facts(auth), self._view.values(auth))

    # --- writing and calling: all raise POLICY_DENIED

    def check_insert(self, entity: str, auth: PolicyAuth, row: Values, payload: Values) -> None:
        """``row`` is what would be stored; ``payload`` (``input`` to the rule) what the client sent."""
        self._check(entity, Operation.INSERT, auth, row, NOTHING, payload)

    def check_update(self, entity: str, auth: PolicyAuth, existing: Values, row: Values, payload: Values) -> None:
        """The rule must hold for the row as it is and as it would be, so nobody can hand over what is theirs
        under a rule written on ``data``, nor take what is not. A rule on ``existing`` sees the old row both times.
        """
        self._check(entity, Operation.UPDATE, auth, existing, existing, payload)
        self._check(entity, Operation.UPDATE, auth, row, existing, payload)

    def check_delete(self, entity: str, auth: PolicyAuth, row: Values) -> None:
        self._check(entity, Operation.DELETE, auth, row, row)

    def check_action(self, action: str, auth: PolicyAuth, payload: object) -> None:
        """``payload`` is the action's input, any JSON value. An action that no policy names is open to all."""
        rules = self._actions.get(action)
        if rules is None or auth.is_admin:
            return
        values = payload if isinstance(payload, dict) else NOTHING
        if not rules.holds(auth, NOTHING, NOTHING, values):
            raise self.refusals.refused(rules.denying(auth, NOTHING, NOTHING, values), action, "call")

    def _check(
        self,
        entity: str,
        operation: Operation,
        auth: PolicyAuth,
        data: Values,
        existing: Values = NOTHING,
        payload: Values = NOTHING,
    ) -> None:
        if auth.is_admin:
            return
        if entity not in self._rules:
            raise denial()
        rules = self._rules[entity][operation]
        if not rules.holds(auth, data, existing, payload):
            raise self.refusals.refused(rules.denying(auth, data, existing, payload), entity, operation)


def _anything(_row: Values, /) -> bool:
    return True


def _fingerprint(manifest: AppManifest, access: Mapping[str, ReadAccess], *, default_allow: bool) -> str:
    entities: dict[str, Any] = {}
    for entity in sorted(manifest.entities, key=lambda entity: entity.name):
        columns = columns_of(entity)
        kinds = [[name, columns[name].__name__] for name in sorted(access[entity.name].fields)]
        entities[entity.name] = [_read_texts(manifest, entity.name), kinds]
    user = manifest.auth.user
    described = jsontext.encode([LANGUAGE_VERSION, default_allow, entities, user.entity, sorted(user.hide)])
    return hashlib.sha256(described).hexdigest()


def _read_texts(manifest: AppManifest, entity: str) -> list[str]:
    """The read expressions of an entity, in an order that does not matter."""
    policies = [policy for policy in manifest.policies if policy.entity == entity]
    members = [(policy, deciding_member(policy, Operation.READ)) for policy in policies]
    return sorted(policy.expressions[member] for policy, member in members if member is not None)
