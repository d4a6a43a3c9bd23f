"""Owns SQL and everything persistent: the stores on SQLite and Postgres, change log, text search, sessions, files.

Never knows requests, what policies mean, or the server.
"""

from pylon_storage.faults import FaultPoints, NoFaults, parse_faults
from pylon_storage.sessions import SqlSessionBackend
from pylon_storage.sqlite.store import EphemeralStore, SqliteStore

__all__ = ["EphemeralStore", "FaultPoints", "NoFaults", "SqlSessionBackend", "SqliteStore", "parse_faults"]
