"""Owns the policy language: parse, compile to a Python predicate and to SQL, check an operation.

Never does I/O and never knows tables, requests or servers.
"""
