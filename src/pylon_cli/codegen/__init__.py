"""Typed clients from a manifest: ``model`` says what an app offers, one module for each language writes it down.

Everything is pure but ``functions`` (which asks the functions' own process), ``writing`` and ``command``. The same
input gives the same bytes.
"""
