"""Owns server functions: the NDJSON protocol, the registry, the runner.

Never starts processes or imports the server.
"""
