"""Owns every URL of the data API and nothing else: ``route()`` is a pure function.

Never names a driver, a thread or a socket.
"""

from pylon_router.context import Call, Caller, CallLimiter, FunctionHost, RouterContext
from pylon_router.route import ROUTES, dispatch, route
from pylon_router.table import Route, RouteTable

__all__ = [
    "ROUTES",
    "Call",
    "CallLimiter",
    "Caller",
    "FunctionHost",
    "Route",
    "RouteTable",
    "RouterContext",
    "dispatch",
    "route",
]
