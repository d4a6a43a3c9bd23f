"""The TypeScript client: what is in it, that the strict compiler takes it whatever an app calls things, and that
its types say what the server does."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pylon_cli.codegen.client import TARGETS, client_source
from pylon_cli.codegen.model import FunctionFiles
from pylon_core.manifest import AppManifest
from pylon_functions.registry import FunctionDefinition, FunctionKind
from tests.pylon_cli.codegen.apps import (
    ADDRESS,
    CLIENTS,
    NOTHING,
    ROOT,
    SHOP,
    SHOP_FUNCTIONS,
    TSC,
    TYPED_FUNCTIONS,
    App,
    block,
    function,
    manifest,
    odd_apps,
    plain_apps,
    tsc,
)
from tests.strategies.documents import app, entity, field

needs_tsc = pytest.mark.skipif(not TSC.exists(), reason="the TypeScript compiler is not installed")


def shop(functions: FunctionFiles | None = SHOP_FUNCTIONS) -> str:
    return client_source("ts", SHOP, functions)


@pytest.mark.parametrize(("declared", "functions"), CLIENTS.values(), ids=CLIENTS)
def test_the_same_app_gives_the_same_bytes(declared: AppManifest, functions: FunctionFiles | None) -> None:
    again = None if functions is None else FunctionFiles(list(reversed(functions.announced)))

    assert client_source("ts", declared, functions) == client_source("typescript", declared, again)


def test_names_are_listed_as_a_union_and_as_an_array() -> None:
    source = shop()

    assert 'export type EntityName = "Item" | "User" | "Bare" | "Task";' in source
    assert 'export const ENTITIES: EntityName[] = ["Item", "User", "Bare", "Task"];' in source
    assert 'export type QueryName = "find" | "all";' in source
    assert 'export const ACTIONS: ActionName[] = ["restock", "reset"];' in source
    assert 'export type FunctionName = "anything" | "pick" | "ping" | "placeOrder";' in source


def test_an_app_without_anything_has_names_that_never_are() -> None:
    source = client_source("ts", NOTHING, None)

    for name in ("Entity", "Query", "Action", "Function"):
        assert f"export type {name}Name = never;" in source


def test_a_row_has_its_id_first_then_its_fields_in_order_and_no_secret_ones() -> None:
    source = shop()

    assert block(source, "export interface Item").splitlines()[1:-1] == [
        "  id: string;",
        "  sku: string;",
        "  count: number;",
        "  price?: number | null;",
        "  sold: boolean;",
        "  blurb?: string | null;",
        "  made: string;",
        "  ownerId: string;",
        "  odd: unknown;",
        "  tags: string[];",
    ]
    assert "passwordHash" not in source


def test_inputs_are_interfaces_only_where_there_is_something_to_give() -> None:
    source = shop()

    assert "done?: boolean | null;" in block(source, "export interface FindInput")
    assert "AllInput" not in source
    assert "restock: (input: RestockInput) => Promise<ActionResult>;" in source
    assert "reset: (input?: Record<string, never>) => Promise<ActionResult>;" in source


def test_the_schema_has_entities_the_real_functions_and_queries() -> None:
    source = shop()

    assert block(source, "export type Entities").count("\n") == 5
    functions = block(source, "export type Functions")
    assert "placeOrder: { input: PlaceOrderInput; output: unknown };" in functions
    assert "anything: { input: Record<string, unknown>; output: unknown };" in functions
    assert "ping: { input: Record<string, never>; output: unknown };" in functions
    assert "restock" not in functions
    assert "find: { input: FindInput; output: unknown };" in block(source, "export type Queries")
    assert "export type AppSchema" in source


def test_while_nobody_knows_the_functions_they_are_called_as_the_actions() -> None:
    functions = block(shop(None), "export type Functions")

    assert "restock: { input: RestockInput; output: unknown };" in functions


def test_validators_become_types() -> None:
    source = shop()

    assert "to: { city: string; zip?: string };" in block(source, "export interface PlaceOrderInput")
    assert 'size: "s" | "m";' in block(source, "export interface PickInput")
    assert "note?: string | null;" in block(source, "export interface PickInput")


def test_of_a_query_an_action_and_a_function_of_one_name_each_has_its_input() -> None:
    three = manifest(
        app(
            queries=[{"name": "find", "input": [field("a")]}],
            actions=[{"name": "find", "input": [field("b")]}],
        )
    )

    source = client_source("ts", three, FunctionFiles([function("find", {"c": {"type": "string"}})]))

    assert "a: string" in block(source, "export interface FindInput")
    assert "b: string" in block(source, "export interface FindActionInput")
    assert "c: string" in block(source, "export interface FindFunctionInput")


def test_two_of_one_name_that_take_the_same_share_a_type() -> None:
    same = manifest(app(actions=[{"name": "add", "input": [field("title")]}]))

    source = client_source("ts", same, FunctionFiles([function("add", {"title": {"type": "string"}})]))

    assert re.findall(r"interface (\w+Input)\b", source) == ["AddInput"]
    assert "add: { input: AddInput; output: unknown };" in source


def test_workflows_are_not_for_clients() -> None:
    engines = FunctionDefinition("ship", FunctionKind.WORKFLOW, {})

    assert '"ship"' not in client_source("ts", SHOP, FunctionFiles([engines]))


def test_internal_functions_are_not_for_clients_in_any_language() -> None:
    internal = FunctionDefinition("sweep", FunctionKind.MUTATION, {"a": {"type": "int"}}, is_internal=True)
    files = FunctionFiles([internal, function("ping", {})], {"sweep": "./functions/sweep"})

    for target in TARGETS:
        source = client_source(target, SHOP, files)
        assert "ping" in source
        assert "sweep" not in source.lower()
    assert client_source("ts", SHOP, files) == client_source("ts", SHOP, FunctionFiles([function("ping", {})]))


def test_functions_that_say_what_they_return_are_typed() -> None:
    source = client_source("ts", SHOP, TYPED_FUNCTIONS)
    functions = block(source, "export type Functions")

    assert block(source, "export interface TotalsOutput").splitlines()[1:-1] == [
        "  sum: number;",
        "  by: Record<string, number>;",
        "  to: ({ city: string; zip?: string } | null)[];",
        "  note?: string;",
    ]
    assert "export type NamesOutput = string[];" in source
    assert 'export type StateOutput = "on" | "off";' in source
    assert "export type ClearOutput = null;" in source
    assert "totals: { input: Record<string, never>; output: TotalsOutput };" in functions
    assert "whatever: { input: Record<string, never>; output: unknown };" in functions
    assert "unsaid: { input: Record<string, never>; output: unknown };" in functions


@needs_tsc
def test_the_strict_compiler_takes_the_client_of_every_app(tmp_path: Path) -> None:
    for name, (declared, functions) in CLIENTS.items():
        (tmp_path / f"{name}.ts").write_text(client_source("ts", declared, functions))

    assert tsc(tmp_path) == ""


@needs_tsc
def test_the_strict_compiler_takes_whatever_a_manifest_may_be(tmp_path: Path) -> None:
    written = iter(range(1_000))

    @settings(max_examples=40, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
    @given(plain_apps() | odd_apps())
    def write(declared: App) -> None:
        source = client_source("ts", *declared)
        assert source == client_source("ts", *declared)
        (tmp_path / f"app{next(written)}.ts").write_text(source)

    write()

    assert tsc(tmp_path) == ""


HANDLERS = {
    "makeTodo": 'async () => ({ id: "1", at: new Date(), gone: undefined })',
    "nothing": "async () => {}",
    "rows": "(): { n?: number; list: (string | undefined)[] }[] => []",
    "whatever": "(): unknown => 1",
}

TYPED = """
import { createTypedDb } from "@pylonsync/react";
import { createClient, type AppSchema, type Functions, type Item, type PylonError, type Todo } from "./client";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const same = <A, B>(_proof: Equal<A, B>): void => {};

same<Functions["makeTodo"]["output"], { id: string; at: string; gone: undefined }>(true);
same<Functions["nothing"]["output"], null>(true);
same<Functions["rows"]["output"], { n?: number; list: (string | null)[] }[]>(true);
same<Functions["whatever"]["output"], unknown>(true);
same<Functions["script"]["output"], unknown>(true);

const db = createTypedDb<AppSchema>();
export async function use(): Promise<void> {
  const client = createClient();
  same<Item[], Awaited<ReturnType<typeof client.list<"Item">>>>(true);
  const todo: Todo | null = await client.get("Todo", "1");
  await client.insert("Todo", { title: "milk" });
  await client.insert("Todo", { id: "1", title: "milk", done: null, tenantId: "t" });
  await client.update("Todo", "1", { done: true });
  same<string, Awaited<ReturnType<typeof client.fn<"makeTodo">>>["at"]>(true);
  await client.fn("makeTodo", { title: "milk", at: { city: "Graz" } });
  await client.fn("nothing");
  await client.actions.reset();
  const { id } = await db.fn("makeTodo", { title: "milk", at: { city: "Graz" } });
  same<typeof id, string>(true);
  same<null, Awaited<ReturnType<typeof db.fn<"nothing">>>>(true);
  await db.fn("nothing");
  void db.useQuery("Todo", { where: { done: true } }).data[0]?.title;
  const told: PylonError = { code: "CONFLICT", message: todo?.title ?? "" };
  void told;
  const make = db.useMutation("makeTodo");
  same<typeof make.data, { id: string; at: string; gone: undefined } | null>(true);
  await make.mutate({ title: "milk", at: { city: "Graz" } });
  await db.useMutation("nothing").mutate();

  const found = db.useSearch("Todo", { query: "milk", filters: { done: true }, sort: ["title", "asc"] });
  same<typeof found.hits, Todo[]>(true);
  same<typeof found.facetCounts.done, Record<string, number> | undefined>(true);

  // @ts-expect-error no such entity
  await client.list("Tudo");
  // @ts-expect-error it has no search
  db.useSearch("Item", {});
  // @ts-expect-error no facet
  db.useSearch("Todo", { facets: ["title"] });
  // @ts-expect-error the title is missing
  await client.insert("Todo", {});
  // @ts-expect-error no such field
  await client.update("Todo", "1", { titel: "milk" });
  // @ts-expect-error the arguments are missing
  await client.fn("makeTodo");
  // @ts-expect-error of another type
  await client.fn("makeTodo", { title: 1, at: { city: "Graz" } });
  // @ts-expect-error no such function
  await db.fn("unmakeTodo", {});
  // @ts-expect-error the arguments are missing
  await db.fn("makeTodo");
  // @ts-expect-error of another type
  await make.mutate({ title: 1, at: { city: "Graz" } });
}
"""


@needs_tsc
def test_types_say_what_goes_in_and_what_comes_out(tmp_path: Path) -> None:
    todo = manifest(
        app(
            entities=[
                entity(
                    "Todo",
                    fields=[field(), field("done", "bool", optional=True), field("tenantId")],
                    search={"text": ["title"], "facets": ["done"], "sortable": ["title"]},
                ),
                entity("Item"),
            ],
            actions=[{"name": "reset"}],
        )
    )
    (tmp_path / "functions").mkdir()
    for name, handler in HANDLERS.items():
        text = f'export default {{ type: "mutation", handler: {handler} }};'
        (tmp_path / "functions" / f"{name}.ts").write_text(text)
    announced = [
        function("makeTodo", {"title": {"type": "string"}, "at": ADDRESS}),
        function("nothing", {}),
        *map(function, ("rows", "whatever", "script")),
    ]
    modules = {name: f"./functions/{name}" for name in HANDLERS}
    (tmp_path / "client.ts").write_text(client_source("ts", todo, FunctionFiles(announced, modules)))
    (tmp_path / "use.ts").write_text(TYPED)
    packages = ROOT / "packages"

    complaints = tsc(
        tmp_path,
        paths={
            "@pylonsync/react": [f"{packages}/react/src/index.ts"],
            "@pylonsync/sync": [f"{packages}/sync/src/index.ts"],
            "react": [f"{packages}/react/node_modules/@types/react"],
        },
        lib=["ES2023", "DOM", "DOM.Iterable"],
        allowImportingTsExtensions=True,
        jsx="react-jsx",
    )

    assert complaints == ""
