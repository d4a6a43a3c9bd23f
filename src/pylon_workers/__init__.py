"""Owns the adapter for D1, a SQLite database that is reached by calls (experimental).

Never imports server libraries.

D1 has no transaction that spans calls, and this adapter makes the best of it (``journal`` has the way).

What holds: a transaction happens as a whole or not at all, also when its process is killed, then as of the next
start; the change log, and so every replica, has committed work alone; a write that was acknowledged is in D1.
What does not: a reader may see rows of a transaction that is still open, or is undone later, and two reads may see
two states. There is one process a database, one transaction at a time in it, and each write is a request to D1.
"""

from pylon_workers.executor import D1Error, D1Executor, Statement
from pylon_workers.store import D1Store

__all__ = ["D1Error", "D1Executor", "D1Store", "Statement"]
