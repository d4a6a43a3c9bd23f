"""Under which peer a server writes into documents.

A document grows by a peer for each that ever wrote into it, so a server should not be a new one with each write.
But the same operation id must never come to mean two things, or clients that know the one never take the other:
not after a database was restored from a backup, and not in a row that was made anew under the id of a deleted
one. So a store that is opened has half of a peer id of its own, and chooses the other half anew for each
document it has not written into yet.
"""

import secrets
from collections.abc import Iterable

_HALF = 32


class ServerPeers:
    """``opening`` is a random number of 31 bits. Any thread may call ``choose``."""

    def __init__(self, opening: int) -> None:
        self._opening = opening

    def choose(self, present: Iterable[int]) -> int:
        """For a document with these peers."""
        for peer in present:
            if peer >> _HALF == self._opening:
                return peer
        return self._opening << _HALF | secrets.randbits(_HALF)


def new_peers() -> ServerPeers:
    return ServerPeers(secrets.randbits(_HALF - 1))
