"""How large documents may get.

What counts is the whole history, uncompressed, because that is what every edit reads and writes again: 2 MiB are
some million keystrokes, and the most time that a document of this size takes is bounded with it.
"""

from pylon_http import DataError

DOCUMENT_BYTES_MAX = 2 * 1024 * 1024
UPDATE_BYTES_MAX = 2 * DOCUMENT_BYTES_MAX
"""A snapshot holds the values beside their history."""
HURRIED_SECONDS = 0.5
"""For a merge that has to be done inside a transaction, which others wait for."""


def too_large() -> DataError:
    return DataError(
        "PAYLOAD_TOO_LARGE",
        f"A collaborative document holds at most {DOCUMENT_BYTES_MAX // 2**20} MiB, its history included.",
        hint="Keep what is larger in an entity with crdt: false, or begin a new row.",
    )
