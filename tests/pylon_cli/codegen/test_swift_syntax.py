"""The Swift client by a grammar of Swift: it reads whatever an app calls things. It knows no reserved words and no
types; what is said of those is in ``test_swift``."""

from collections.abc import Iterator

import pytest
import tree_sitter_swift
from hypothesis import given, settings
from tree_sitter import Language, Node, Parser

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.model import FunctionFiles
from pylon_core.manifest import AppManifest
from tests.pylon_cli.codegen.apps import CLIENTS, App, odd_apps, plain_apps

PARSER = Parser(Language(tree_sitter_swift.language()))


def faults(source: str) -> list[str]:
    """The lines that the grammar cannot read."""
    lines = source.splitlines()
    root = PARSER.parse(source.encode()).root_node
    return [lines[node.start_point.row] for node in _walk(root) if node.is_error or node.is_missing]


def _walk(node: Node) -> Iterator[Node]:
    yield node
    if node.has_error:
        for child in node.children:
            yield from _walk(child)


@pytest.mark.parametrize("broken", ["struct {}", "extension A { func a( }", 'let a = "', "public var a: [String"])
def test_the_grammar_sees_what_is_wrong(broken: str) -> None:
    assert faults(broken) != []


@pytest.mark.parametrize(("declared", "functions"), CLIENTS.values(), ids=CLIENTS)
def test_the_client_of_every_app_can_be_read(declared: AppManifest, functions: FunctionFiles | None) -> None:
    assert faults(client_source("swift", declared, functions)) == []


@settings(max_examples=50, deadline=None)
@given(plain_apps() | odd_apps())
def test_whatever_things_are_called_the_client_can_be_read(app: App) -> None:
    source = client_source("swift", *app)

    assert faults(source) == []
    assert source == client_source("swift", *app)
