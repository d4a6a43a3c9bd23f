"""Owns every URL of the data API and nothing else: ``route()`` is a pure function.

Never names a driver, a thread or a socket.
"""

from pylon_router.context import Call, Caller, CallLimiter, FileLibrary, FunctionHost, PersonalData, RouterContext
from pylon_router.files import UPLOAD_PATH
from pylon_router.route import ROUTES, dispatch, route
from pylon_router.table import Route, RouteTable
from pylon_router.user_database import UserGuard
from pylon_router.webhooks import WEBHOOK_PREFIX

__all__ = [
    "ROUTES",
    "UPLOAD_PATH",
    "WEBHOOK_PREFIX",
    "Call",
    "CallLimiter",
    "Caller",
    "FileLibrary",
    "FunctionHost",
    "PersonalData",
    "Route",
    "RouteTable",
    "RouterContext",
    "UserGuard",
    "dispatch",
    "route",
]
