"""Names that a manifest tells everybody and that are an internal function's as well. Pure."""

from collections.abc import Sequence

from pylon_core.diagnostics import Diagnostic, Severity
from pylon_core.manifest import AppManifest
from pylon_functions.registry import Registry

CODE = "INTERNAL_FUNCTION_DECLARED"


def declared_internal_functions(manifest: AppManifest, functions: Registry) -> Sequence[Diagnostic]:
    """A warning each. The manifest's queries and actions are in generated clients and API documents, so a reader
    takes the name for something to call."""
    declared = [
        *(("action", action.name) for action in manifest.actions),
        *(("query", query.name) for query in manifest.queries),
        *(("route's query", route.query) for route in manifest.routes if route.query is not None),
    ]
    return [
        Diagnostic(
            severity=Severity.WARNING,
            code=CODE,
            message=f'The manifest declares the {kind} "{name}", and the function of that name is internal.',
            hint="Clients cannot call it. Take the declaration out, rename one of the two, or open the function.",
        )
        for kind, name in declared
        if name in functions and functions[name].is_internal
    ]
