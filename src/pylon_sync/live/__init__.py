"""Live queries: what a subscriber of a query is to hear of a change, decided in memory.

Owns the query, its two forms that a store has as SQL (which rows, in which order), the window of its first rows
and the differences between what was told and what is. Never does I/O; knows no socket, no store and no policy.
"""

from pylon_sync.live.index import QueryIndex
from pylon_sync.live.query import LiveQuery, Selection
from pylon_sync.live.window import Difference, Entry, Window

__all__ = ["Difference", "Entry", "LiveQuery", "QueryIndex", "Selection", "Window"]
