"""Owns SQL and everything persistent: the SQLite store, the change log, the SQL backends of sessions.

Never knows requests, policies' meaning or the server.
"""
