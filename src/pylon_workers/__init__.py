"""Owns the adapter for D1-compatible executors (experimental; its turn has not come).

Never imports server libraries.
"""
