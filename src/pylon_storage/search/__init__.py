"""Full-text and faceted search, kept and asked the same way on both engines."""
