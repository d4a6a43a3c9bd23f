"""Session tokens: how one is made, what one looks like, and the hash under which it is stored.

Only the hash is ever kept; the token itself exists in the answer that hands it out and in the client. Pure
functions, any thread.
"""

import hashlib
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]
"""Unpredictable bytes, as many as asked for; ``secrets.token_bytes`` outside tests."""

TOKEN_PREFIX = "pylon_"
_TOKEN_LENGTH = len(TOKEN_PREFIX) + 64


def new_token(random_bytes: RandomBytes) -> str:
    return TOKEN_PREFIX + random_bytes(32).hex()


def is_session_token(text: str) -> bool:
    """Whether the text has the shape of a session token; spares storage the lookup of anything else."""
    return len(text) == _TOKEN_LENGTH and text.startswith(TOKEN_PREFIX)


def token_hash(token: str) -> bytes:
    """SHA-256 of the token: 32 bytes. A token has 256 random bits, so no salt or slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
