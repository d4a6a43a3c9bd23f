"""Owns the ``pylon`` command.

Never holds logic that a library caller would miss.
"""
