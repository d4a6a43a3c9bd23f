"""Full-text and faceted search, kept and asked the same way on both engines.

What is a word (``tokens``), what a search says (``query``) and what of a row is kept (``entry``) is decided here
and not by the engines, so both find exactly the same rows; they only keep terms in their places, and rank.
"""
