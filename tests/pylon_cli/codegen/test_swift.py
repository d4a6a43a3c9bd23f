"""The Swift client. There is no compiler of Swift here: one file is compared whole, and in the others is checked
what a compiler would stumble over first: brackets, literals, and names."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.model import FunctionFiles
from pylon_core.manifest import AppManifest
from tests.pylon_cli.codegen.apps import (
    CLIENTS,
    SHOP,
    SHOP_FUNCTIONS,
    TYPED_FUNCTIONS,
    App,
    block,
    function,
    manifest,
    odd_apps,
)
from tests.strategies.documents import app, entity, field

GOLDEN = Path(__file__).with_name("shop.swift")
LITERAL = re.compile(r'"(?:[^"\\\n]|\\["\\]|\\u\{[0-9a-f]+\})*"')
KEYWORD = re.compile(
    r"\b(?:var|func|struct|case|static let) (?:class|self|Self|init|import|default|in|is|as|true|for|enum|Any)\b"
)
DECLARED = re.compile(r"^(?:public (?:struct|enum) )(\w+)", re.MULTILINE)


def test_the_client_of_an_app_is_this_file_to_the_byte() -> None:
    assert client_source("swift", SHOP, SHOP_FUNCTIONS) == GOLDEN.read_text()


@pytest.mark.parametrize(("declared", "functions"), CLIENTS.values(), ids=CLIENTS)
def test_every_client_is_made_of_whole_declarations(
    declared: AppManifest, functions: FunctionFiles | None
) -> None:
    source = client_source("swift", declared, functions)

    assert_well_formed(source)
    assert source == client_source("swift", declared, functions)


@settings(max_examples=50, deadline=None)
@given(odd_apps())
def test_whatever_things_are_called_the_client_is_well_formed(declared: App) -> None:
    assert_well_formed(client_source("swift", *declared))


def test_functions_that_say_what_they_return_are_typed() -> None:
    source = client_source("swift", SHOP, TYPED_FUNCTIONS)

    for declaration in (
        "public struct TotalsOutput: Sendable, Codable, Equatable, Hashable {",
        "public var by: [String: Int64]",
        "public var to: [TotalsOutputToItem?]",
        "public var note: String?",
        "public typealias NamesOutput = [String]",
        "public typealias FindOutput = FindOutput2?",
        "public typealias StateOutput = String",
        "public typealias ClearOutput = JSONValue",
        "public typealias ListOutput = [String: JSONValue]",
        "func totals(_ input: [String: JSONValue] = [:]) async throws -> TotalsOutput {",
        "func unsaid<Result: Decodable>(",
    ):
        assert declaration in source


def test_methods_and_structs_have_the_published_names() -> None:
    source = client_source("swift", SHOP, None)

    for declaration in (
        "public struct Item: Sendable, Codable, Identifiable, Equatable, Hashable {",
        "public struct NewItem: Sendable, Encodable {",
        "public struct RestockInput: Sendable, Encodable {",
        "public struct FindInput: Sendable, Encodable {",
        "func listItems() async throws -> [Item]",
        "func getItem(id: String) async throws -> Item",
        "func createItem(_ item: NewItem) async throws -> Item",
        "func updateItem(id: String, _ patch: [String: JSONValue]) async throws -> Item",
        "func deleteItem(id: String) async throws {",
        "func createBare(_ bare: [String: JSONValue]) async throws -> Bare",
        "func restock<Result: Decodable>(_ input: RestockInput, as type: Result.Type = Result.self)",
        'public static let all: [String] = ["Item", "User", "Bare", "Task"]',
    ):
        assert declaration in source
    assert "NewBare" not in source
    assert source.index("struct RestockInput") < source.index("struct FindInput")


def test_what_the_server_can_fill_in_need_not_be_given() -> None:
    assert "public var tenantId: String?" in block(client_source("swift", SHOP, None), "public struct NewTask")


def test_keywords_are_escaped_and_other_names_mapped() -> None:
    odd = manifest(app(entities=[entity("Odd", fields=[field("class"), field("due-date"), field("self")])]))

    struct = block(client_source("swift", odd, None), "public struct Odd")

    assert "public var `class`: String" in struct
    assert 'case due_date = "due-date"' in struct
    assert 'case self2 = "self"' in struct


def test_a_function_called_like_a_method_for_rows_gets_another_name() -> None:
    source = client_source("swift", SHOP, FunctionFiles([function("listItems")]))

    assert "func listItems() async" in source
    assert "func listItems2<Result: Decodable>" in source
    assert 'callFn("listItems", args: input)' in source


def assert_well_formed(source: str) -> None:
    code = LITERAL.sub("", source)
    assert '"' not in code
    for opening, closing in ("{}", "()", "[]", "<>"):
        assert code.replace("->", "").count(opening) == code.replace("->", "").count(closing)
    assert KEYWORD.search(code) is None
    assert [name for name, times in Counter(DECLARED.findall(source)).items() if times > 1] == []
    for line in code.splitlines():
        assert line.isprintable(), line
