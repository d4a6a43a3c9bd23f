"""Owns every URL of the data API and nothing else: ``route()`` is a pure function.

Never names a driver, a thread or a socket.
"""
