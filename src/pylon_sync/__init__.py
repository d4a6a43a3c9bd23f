"""Owns what a replica may see and do: pull, push, visibility of change events.

Never speaks SQL, opens sockets or knows requests.
"""
