"""Owns every URL of the data API and nothing else: ``route()`` is a pure function.

Never names a driver, a thread or a socket.
"""

from pylon_router.context import Call, Caller, CallLimiter, FileLibrary, FunctionHost, PersonalData, RouterContext
from pylon_router.files import UPLOAD_PATH
from pylon_router.route import ROUTES, dispatch, route
from pylon_router.table import Route, RouteTable

__all__ = [
    "ROUTES",
    "UPLOAD_PATH",
    "Call",
    "CallLimiter",
    "Caller",
    "FileLibrary",
    "FunctionHost",
    "PersonalData",
    "Route",
    "RouteTable",
    "RouterContext",
    "dispatch",
    "route",
]
