"""What a manifest tells everybody of functions that nobody may call."""

from pylon_cli.declared_names import declared_internal_functions
from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_functions.registry import FunctionDefinition, FunctionKind
from tests.strategies.documents import app

FUNCTIONS = {
    name: FunctionDefinition(name, FunctionKind.MUTATION, is_internal=name != "open")
    for name in ("sweep", "totals", "page", "open")
}


def test_a_declaration_of_an_internal_function_is_warned_of() -> None:
    document = app(
        actions=[{"name": "sweep"}, {"name": "open"}, {"name": "other"}],
        queries=[{"name": "totals"}, {"name": "page"}],
        routes=[{"path": "/", "mode": "server", "query": "page"}],
    )

    found = declared_internal_functions(parse_manifest(jsontext.encode(document), "m"), FUNCTIONS)

    assert {(each.severity.value, each.code) for each in found} == {("warning", "INTERNAL_FUNCTION_DECLARED")}
    assert [each.message.split(",")[0] for each in found] == [
        'The manifest declares the action "sweep"',
        'The manifest declares the query "totals"',
        'The manifest declares the query "page"',
        'The manifest declares the route\'s query "page"',
    ]
