"""Owns the hook interface and the built-in plugins (its turn has not come).

Never imports the server.
"""
