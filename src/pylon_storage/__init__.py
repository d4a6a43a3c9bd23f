"""Owns SQL and everything persistent: the SQLite store, the change log, the SQL backends of sessions.

Never knows requests, what policies mean, or the server.
"""

from pylon_storage.faults import FaultPoints, NoFaults, parse_faults
from pylon_storage.sessions import SqlSessionBackend
from pylon_storage.sqlite.store import EphemeralStore, SqliteStore

__all__ = ["EphemeralStore", "FaultPoints", "NoFaults", "SqlSessionBackend", "SqliteStore", "parse_faults"]
