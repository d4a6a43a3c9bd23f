"""Owns the ``pylon`` command: arguments, what a person or a program reads, exit codes.

Never holds logic that a library caller would miss.
"""
