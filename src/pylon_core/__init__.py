"""Owns what every floor above shares: the manifest, error and exit codes, ids, clock, JSON.

Never does I/O: no files, no sockets, no database, no processes.
"""
