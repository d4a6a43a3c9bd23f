"""Owns the server: listener, hub, Bun supervisor, configuration, composition.

Never imports the command line.
"""
