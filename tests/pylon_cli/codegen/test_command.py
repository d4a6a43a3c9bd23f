"""``pylon codegen client``: its arguments, what it prints and writes, and where it learns of the functions."""

import json
from pathlib import Path

import pytest

from pylon_cli.codegen.client import client_source
from tests.pylon_cli.codegen.apps import SHOP, block
from tests.pylon_cli.conftest import Run
from tests.strategies.documents import app, field

ADD = """
import { mutation, v } from "@pylonsync/functions";
export default mutation({ args: { title: v.string() }, handler: async (_ctx, args) => ({ id: args.title }) });
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "app" / "pylon.manifest.json"
    path.parent.mkdir()
    path.write_text(json.dumps(SHOP.to_wire()))
    return path


def add_functions(manifest: Path, name: str = "functions") -> Path:
    folder = manifest.parent / name
    folder.mkdir()
    (folder / "addItem.ts").write_text(ADD)
    (folder / "helper.ts").write_text("export const helper = 1;")
    return folder


@pytest.mark.parametrize("target", ["ts", "typescript", "swift", "python"])
def test_without_out_the_client_is_printed(run: Run, shop: Path, target: str) -> None:
    outcome = run("codegen", "client", shop, "--target", target)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == client_source(target, SHOP, None)


def test_typescript_is_the_target_unless_another_is_named(run: Run, shop: Path) -> None:
    assert run("codegen", "client", shop).out == client_source("ts", SHOP, None)


def test_options_may_come_before_the_manifest_and_their_values_are_never_taken_for_it(
    run: Run, shop: Path
) -> None:
    out = shop.parent / "ts"

    assert run("codegen", "client", "--out", out, "--target", "ts", shop).code == 0
    assert out.read_text() == client_source("ts", SHOP, None)


def test_a_folder_stands_for_its_manifest(run: Run, shop: Path) -> None:
    assert run("codegen", "client", shop.parent).out == client_source("ts", SHOP, None)


def test_out_makes_its_folders_and_counts_what_is_in_the_client(run: Run, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "client.ts"

    outcome = run("codegen", "client", shop, "--out", out, "--json")

    assert outcome.json == {
        "code": "CODEGEN_CLIENT_OK",
        "path": str(out),
        "entities": 4,
        "queries": 2,
        "actions": 2,
        "functions": 0,
    }
    assert out.read_text() == client_source("ts", SHOP, None)


def test_a_person_is_told_in_one_line(run: Run, shop: Path) -> None:
    out = shop.parent / "client.swift"

    told = run("codegen", "client", shop, "--target", "swift", "--out", out).out

    assert told == f"Wrote {out}: 4 entities, 2 queries, 2 actions, 0 functions.\n"


def test_a_client_that_says_the_same_already_is_left_alone(run: Run, shop: Path) -> None:
    out = shop.parent / "client.ts"
    run("codegen", "client", shop, "--out", out)
    out.chmod(0o444)
    before = out.stat().st_mtime_ns

    assert run("codegen", "client", shop, "--out", out).code == 0
    assert out.stat().st_mtime_ns == before


BAD_CALLS = [
    ((), "CODEGEN_CLIENT_NO_MANIFEST"),
    (("app.json", "--target", "cobol"), "CODEGEN_CLIENT_BAD_TARGET"),
    (("app.json", "--tarqet", "ts"), "USAGE"),
]


@pytest.mark.parametrize(("words", "code"), BAD_CALLS, ids=lambda value: " ".join(value) or "nothing")
def test_a_bad_call_exits_64(run: Run, words: tuple[str, ...], code: str) -> None:
    outcome = run("codegen", "client", *words, "--json")

    assert (outcome.code, outcome.json[0]["code"]) == (64, code)


def test_a_manifest_that_is_not_there(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "none.json"

    outcome = run("codegen", "client", missing, "--json")

    assert outcome.code == 1
    assert outcome.json[0]["code"] == "MANIFEST_READ_FAILED"
    assert outcome.json[0]["span"] == {"file": str(missing)}


@pytest.mark.parametrize(
    ("files", "way_out"), [(["app.ts"], "run `pylon dev`, or `pylon codegen "), ([], "Name the folder of an app")]
)
def test_an_app_without_a_manifest_learns_how_to_get_one(
    run: Run, tmp_path: Path, files: list[str], way_out: str
) -> None:
    for file in files:
        (tmp_path / file).touch()

    outcome = run("codegen", "client", tmp_path, "--json")

    assert outcome.json[0]["code"] == "MANIFEST_READ_FAILED"
    assert way_out in outcome.json[0]["hint"]


def test_a_manifest_that_is_none_leaves_the_old_client(run: Run, shop: Path) -> None:
    out = shop.parent / "client.ts"
    out.write_text("old")
    shop.write_text('{"manifest_version": 1}')

    outcome = run("codegen", "client", shop, "--out", out, "--json")

    assert (outcome.code, outcome.json[0]["code"]) == (1, "MANIFEST_PARSE_ERROR")
    assert out.read_text() == "old"


def test_a_file_that_cannot_be_written(run: Run, shop: Path) -> None:
    outcome = run("codegen", "client", shop, "--out", shop / "client.ts", "--json")

    assert (outcome.code, outcome.json[0]["code"]) == (1, "CODEGEN_CLIENT_WRITE_FAILED")


def test_the_functions_beside_the_manifest_are_found_and_their_results_imported(run: Run, shop: Path) -> None:
    add_functions(shop)
    out = shop.parent / "web" / "client.ts"

    outcome = run("codegen", "client", shop, "--out", out, "--json")

    assert outcome.json["functions"] == 1
    source = out.read_text()
    assert "title: string;" in block(source, "export interface AddItemInput")
    declared = 'addItem: { input: AddItemInput; output: Output<typeof import("../functions/addItem")> };'
    assert declared in block(source, "export type Functions")


def test_functions_elsewhere_can_be_named(run: Run, shop: Path) -> None:
    folder = add_functions(shop, "server side")
    out = shop.parent / "server side" / "client.py"

    run("codegen", "client", shop, "--functions", folder, "--target", "python", "--out", out)

    assert "def addItem(self, /, **input: Unpack[AddItemInput]) -> Any:" in out.read_text()


def test_functions_may_be_where_the_environment_says(run: Run, shop: Path) -> None:
    add_functions(shop, "fns")

    outcome = run("codegen", "client", shop, PYLON_FUNCTIONS_DIR="fns")

    assert "addItem: { input: AddItemInput; output: unknown };" in outcome.out


def test_a_file_that_does_not_load_is_told_of_beside_the_client(run: Run, shop: Path) -> None:
    folder = add_functions(shop)
    (folder / "broken.ts").write_text('throw new Error("out of order");')

    outcome = run("codegen", "client", shop, "--target", "python")

    assert outcome.code == 0
    assert "out of order" in outcome.err
    assert "def addItem" in outcome.out


@pytest.mark.parametrize("target", ["ts", "swift", "python"])
def test_without_bun_there_is_a_client_and_a_warning(run: Run, shop: Path, target: str) -> None:
    add_functions(shop)

    outcome = run("codegen", "client", shop, "--target", target, PYLON_BUN="/nowhere/bun")

    assert outcome.code == 0
    assert outcome.out == client_source(target, SHOP, None)
    assert "CODEGEN_CLIENT_NO_FUNCTIONS" in outcome.err
    assert "Bun was not found" in outcome.err


def test_a_functions_folder_that_is_not_there_is_a_warning_too(run: Run, shop: Path) -> None:
    outcome = run("codegen", "client", shop, "--functions", shop.parent / "none")

    assert (outcome.code, outcome.out) == (0, client_source("ts", SHOP, None))
    assert "CODEGEN_CLIENT_NO_FUNCTIONS" in outcome.err


def test_a_manifest_that_would_not_start_still_has_a_client(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pylon.manifest.json"
    path.write_text(json.dumps(app(entities=[], actions=[{"name": "a", "input": [field(type_="blob")]}])))

    outcome = run("codegen", "client", path)

    assert outcome.code == 0
    assert "title: unknown;" in outcome.out
