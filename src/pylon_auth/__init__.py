"""Owns identity: sessions, roles, ``AuthContext``, and the protocols its storage backends implement.

Never speaks SQL and never knows the server.
"""
