"""The Postgres adapter: many connections, many processes, one database.

Imported only when a Postgres database is opened.
"""

from pylon_storage.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
