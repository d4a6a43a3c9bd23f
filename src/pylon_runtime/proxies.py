"""Who the client is behind reverse proxies.

Each proxy appends the address it saw to the right of ``X-Forwarded-For``; with N trusted proxies the N-th entry
from the right is the first one that the client itself could not write. A pure function.
"""

import ipaddress

from pylon_http import Request


def client_ip(request: Request, trusted_hops: int) -> str:
    """The client's address: the socket's peer, or what the outermost trusted proxy saw."""
    if trusted_hops == 0:
        return request.peer
    entries = request.headers.get("x-forwarded-for", "").split(",")
    if len(entries) < trusted_hops:
        return request.peer
    try:
        return str(ipaddress.ip_address(entries[-trusted_hops].strip()))
    except ValueError:
        return request.peer
