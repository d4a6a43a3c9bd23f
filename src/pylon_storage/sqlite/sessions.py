"""Sessions in the application's own database. The token itself is never stored, only its SHA-256.

Any thread may call it: writes go through the committer, reads through the pool.
"""

TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS _pylon_sessions (token_hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " user_id TEXT NOT NULL, is_guest INTEGER NOT NULL, roles TEXT NOT NULL, tenant_id TEXT, device TEXT,"
        " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID"
    ),
    "CREATE INDEX IF NOT EXISTS _pylon_sessions_user ON _pylon_sessions (user_id)",
)
