"""Collaborative documents of rows (Loro), kept in the transaction of each write (contract 05 §7).

A row has none until somebody wants to collaborate on it. Loro itself, an extra, is loaded with the first document.
"""
