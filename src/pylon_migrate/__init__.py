"""Owns the schema diff: plan, apply, history (its turn has not come).

Never imports the server.
"""
