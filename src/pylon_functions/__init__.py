"""Owns server functions: the protocol of their processes, who may do what in them, what they are written with.

What stands here is for the authors of Python functions; the server takes what it needs from the modules. Never
starts processes or imports the server.
"""

from pylon_functions.python.arguments import row_id
from pylon_functions.python.authoring import action, mutation, query, workflow
from pylon_functions.python.context import ActionContext, MutationContext, QueryContext
from pylon_functions.python.errors import FunctionError
from pylon_functions.python.workflow import WorkflowContext

__all__ = [
    "ActionContext",
    "FunctionError",
    "MutationContext",
    "QueryContext",
    "WorkflowContext",
    "action",
    "mutation",
    "query",
    "row_id",
    "workflow",
]
