"""Owns server functions: the NDJSON protocol, the registry, the runner.

Never starts processes or imports the server.
"""

from pylon_functions.host import FunctionHost, Workers
from pylon_functions.registry import FunctionDefinition, FunctionKind, Registry
from pylon_functions.runner import CallTimedOut, Channel, Runner

__all__ = [
    "CallTimedOut",
    "Channel",
    "FunctionDefinition",
    "FunctionHost",
    "FunctionKind",
    "Registry",
    "Runner",
    "Workers",
]
