"""What a set of formulas sees of an identity, and nothing more.

Two identities that agree in it cannot be told apart by those formulas. That makes it the key of both the
audience of a live event and the cache of rendered SQL. Immutable; any thread may use it.
"""

from collections.abc import Iterable

from pylon_policy.auth import AuthMember, AuthValue, PolicyAuth
from pylon_policy.formula import Atom, AuthRef, Equal, Formula, RowRef, atoms, refs
from pylon_policy.predicate import compile_facts


class IdentityView:
    """Of an identity: which row-independent atoms hold (``facts``) and the members compared with rows."""

    def __init__(self, formulas: Iterable[Formula]) -> None:
        found = [atom for formula in formulas for atom in atoms(formula)]
        self.atoms: tuple[Atom, ...] = tuple(dict.fromkeys(atom for atom in found if is_fact(atom)))
        self.members: tuple[AuthMember, ...] = tuple(dict.fromkeys(_members_compared_with_rows(found)))
        self.facts = compile_facts(self.atoms)

    def values(self, auth: PolicyAuth) -> tuple[AuthValue, ...]:
        """In the order of ``members``."""
        return tuple([getattr(auth, member) for member in self.members])


def is_fact(atom: Atom) -> bool:
    """Whether the atom mentions no row, so that the identity alone decides it."""
    return not any(isinstance(ref, RowRef) for ref in refs(atom))


def _members_compared_with_rows(found: Iterable[Atom]) -> Iterable[AuthMember]:
    for atom in found:
        if isinstance(atom, Equal) and isinstance(atom.left, RowRef) and isinstance(atom.right, AuthRef):
            yield atom.right.member
