"""Owns shards: tick loop, area of interest, deltas, replay, matchmaker (its turn has not come).

Never touches SQL or the server.
"""
