"""Who may read which rows of one entity: the row-filtering half of the engine.

Owns the cache of rendered conditions: one text per way an identity can look to the rule, not per identity, the
least recently used leaving first. Any thread may call any method (``lru_cache`` has its own lock).
"""

from functools import lru_cache

from pylon_http import Condition
from pylon_policy.auth import AuthMember, AuthValue, PolicyAuth
from pylon_policy.formula import FALSE, TRUE, Equal, Formula, RowRef, atoms, refs
from pylon_policy.identity import IdentityView
from pylon_policy.sql import NEVER, MemberValue, Open, Template, render, specialise
from pylon_policy.values import Columns, storable

TEMPLATES_MAX = 128
"""A rule with k role checks looks at most 2**k ways; real ones at a handful."""


class ReadAccess:
    def __init__(self, formula: Formula, columns: Columns) -> None:
        """``formula`` mentions no row but the one read, and of that only ``columns``."""
        self._formula = formula
        self._columns = columns
        self._view = IdentityView([formula])
        self._pinned = _members_deciding_text(formula, columns)
        self._template = lru_cache(maxsize=TEMPLATES_MAX)(self._specialised)

    @property
    def fields(self) -> frozenset[str]:
        """The row fields the rule looks at."""
        rows = (ref for atom in atoms(self._formula) for ref in refs(atom) if isinstance(ref, RowRef))
        return frozenset(ref.segments[0] for ref in rows)

    def condition(self, auth: PolicyAuth) -> Condition | None:
        """Which rows the identity may read; ``None`` means all of them."""
        template = self._template_for(auth)
        return None if template is None else template.fill(auth)

    def never(self, auth: PolicyAuth) -> bool:
        """Whether the identity can read no row, whatever is in it."""
        return self._template_for(auth) is NEVER

    def _template_for(self, auth: PolicyAuth) -> Template | None:
        values = self._view.values(auth)
        return self._template(self._view.facts(auth), tuple(map(self._known, self._view.members, values)))

    def _known(self, member: AuthMember, value: AuthValue) -> MemberValue:
        if not isinstance(value, str):
            return value
        if not storable(value):
            return Open.UNSTORABLE
        return value if member in self._pinned else Open.TEXT

    def _specialised(self, facts: tuple[bool, ...], members: tuple[MemberValue, ...]) -> Template | None:
        formula = specialise(
            self._formula,
            self._columns,
            dict(zip(self._view.atoms, facts, strict=True)),
            dict(zip(self._view.members, members, strict=True)),
        )
        if formula == TRUE:
            return None
        return NEVER if formula == FALSE else render(formula, self._columns)


def _members_deciding_text(formula: Formula, columns: Columns) -> frozenset[AuthMember]:
    """Members compared with columns other than text: whether their value is a numeral decides the SQL."""
    return frozenset(
        atom.right.member
        for atom in atoms(formula)
        if isinstance(atom, Equal)
        and not isinstance(atom.right, RowRef)
        and isinstance(atom.left, RowRef)
        and columns[atom.left.segments[0]] is not str
    )
