"""Owns the policy language: parse, compile to a Python predicate and to SQL, check an operation.

Never does I/O and never knows tables, requests or servers.

An expression travels text -> ``expression`` (what was written) -> ``formula`` (what makes it definitely true)
-> ``predicate`` (Python) and ``sql``. Both forms are emitted from the same formula, so they cannot drift apart.
"""

from pylon_policy.auth import PolicyAuth
from pylon_policy.engine import PolicyEngine
from pylon_policy.expression import PolicySyntaxError
from pylon_policy.parser import parse
from pylon_policy.predicate import RowPredicate
from pylon_policy.refusals import RefusalLog, denial
from pylon_policy.rules import Operation

__all__ = [
    "Operation",
    "PolicyAuth",
    "PolicyEngine",
    "PolicySyntaxError",
    "RefusalLog",
    "RowPredicate",
    "denial",
    "parse",
]
