"""The SQLite adapter: one file, one writer that commits in groups, many readers."""
