"""Running an entry file: what counts as its manifest, and everything that can go wrong with it."""

import json
import os
import shutil
import threading
from pathlib import Path

import hatch_build
import pytest

from pylon_core.errors import PylonError
from pylon_runtime import entry_file
from pylon_runtime.entry_file import BuiltManifest, EntryFile
from tests.strategies.documents import app
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
PLAIN = json.dumps(app())
SDK = """
    import {{ buildManifest, entity, field }} from "@pylonsync/sdk";
    const build = (name: string) =>
      buildManifest({{ name, version: "1", entities: [entity("Todo", {{ title: field.string() }})], routes: [] }});
    {}
"""


def build(folder: Path, source: str, **files: str) -> BuiltManifest:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".ts").write_text(text)
    (folder / "app.ts").write_text(source)
    return EntryFile(Path("app.ts"), folder, os.environ).build()


def refused(folder: Path, source: str) -> PylonError:
    with pytest.raises(PylonError) as failed:
        build(folder, source)
    return failed.value


def test_what_it_prints_is_the_manifest_to_the_letter(tmp_path: Path) -> None:
    text = '{ "name": "é",' + PLAIN.removeprefix("{").replace('"name": "notes", ', "")

    built = build(tmp_path, f"console.log({json.dumps('  ' + text + '  ')});")

    assert (built.text, built.said) == (text, "")


SURE = {
    "between other things": 'console.log("hi", {}); console.log(JSON.stringify(build("x"))); console.log("{");',
    "over several lines": 'console.log("hi"); console.log(JSON.stringify(build("x"), null, 2));',
    "beside other JSON": 'console.log(JSON.stringify({ a: 1 })); console.log(JSON.stringify(build("x")));',
    "without printing it": 'build("x"); console.log("hi");',
    "as the default export": 'export default build("x");',
    "before leaving": 'console.log("hi"); console.log(JSON.stringify(build("x"))); process.exit(0);',
    "one of two that is printed": 'build("y"); console.log("hi"); console.log(JSON.stringify(build("x")));',
    "after a change of it": """
        const manifest = build("y"); manifest.name = "x"; console.log("hi"); console.log(JSON.stringify(manifest));
    """,
}


@pytest.mark.parametrize("source", SURE.values(), ids=SURE)
def test_with_the_sdk_it_may_print_what_it_likes(tmp_path: Path, source: str) -> None:
    built = build(tmp_path, SDK.format(source))

    manifest = json.loads(built.text)
    assert (manifest["name"], manifest["entities"][0]["name"]) == ("x", "Todo")
    assert "manifest_version" not in built.said
    if '"hi"' in source:
        assert built.said.startswith("hi")


def test_what_goes_to_standard_error_is_for_the_author(tmp_path: Path) -> None:
    assert build(tmp_path, f"console.error('careful'); console.log({json.dumps(PLAIN)});").said == "careful"


INVALID = {
    "nothing": ("", "not valid JSON"),
    "a log line and no SDK": (f"console.log('hi'); console.log({json.dumps(PLAIN)});", "not valid JSON"),
    "JSON that is no manifest": ("console.log('{}');", "manifest_version is missing"),
    "two manifests": (
        SDK.format('console.log(JSON.stringify(build("x"))); console.log(JSON.stringify(build("y")));'),
        "There are 2 manifests",
    ),
    "two built and none printed": (SDK.format('build("x"); build("y");'), "There are 2 manifests"),
    "a manifest of the SDK that was broken": (
        SDK.format('console.log("hi"); console.log(JSON.stringify({ ...build("x"), name: 7 }));'),
        "name must be a string",
    ),
}


@pytest.mark.parametrize(("source", "reason"), INVALID.values(), ids=INVALID)
def test_what_is_no_manifest_is_refused(tmp_path: Path, source: str, reason: str) -> None:
    error = refused(tmp_path, source)

    assert error.code == "BUN_INVALID_OUTPUT"
    assert "app.ts" in error.message
    assert reason in (error.hint or "")


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("throw new Error('no luck');", "exited with status 1", "no luck"),
        ("console.log('why'); process.exit(3);", "exited with status 3", "why"),
        ("console.log('why'); console.error('because'); process.exit(3);", "exited with status 3", "because"),
        ("import 'no-such-package';", "exited with status 1", "no-such-package"),
        ("const = 1;", "exited with status 1", "app.ts:1"),
        ("process.kill(process.pid, 'SIGTERM'); await new Promise(() => {});", "ended by SIGTERM", ""),
    ],
)
def test_an_entry_that_fails_says_why(tmp_path: Path, source: str, message: str, hint: str) -> None:
    error = refused(tmp_path, source)

    assert error.code == "BUN_EXIT"
    assert message in error.message
    assert hint in (error.hint or "")


def test_an_entry_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_file, "ENTRY_SECONDS_MAX", 0.5)

    error = refused(
        tmp_path, "setInterval(() => {}, 1000); Bun.spawn(['sleep', '60'], { stdio: ['ignore', 1, 2] });"
    )

    assert (error.code, "did not end" in error.message) == ("BUN_EXIT", True)


def test_a_build_can_be_cancelled(tmp_path: Path) -> None:
    (tmp_path / "app.ts").write_text("await Bun.write('started', ''); setInterval(() => {}, 1000);")
    entry = EntryFile(Path("app.ts"), tmp_path, os.environ)
    codes: list[str] = []

    def run() -> None:
        with pytest.raises(PylonError) as failed:
            entry.build()
        codes.append(failed.value.code)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: (tmp_path / "started").exists())
    entry.cancel()
    thread.join(10)

    assert codes == ["BUN_EXIT"]
    entry.cancel()  # nothing is under way any more


def test_without_bun_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "app.ts").write_text("")

    with pytest.raises(PylonError) as failed:
        EntryFile(Path("app.ts"), tmp_path, {"PYLON_BUN": "/nowhere/bun"}).build()

    assert failed.value.code == "BUN_EXEC_FAILED"
    assert "pip install" in (failed.value.hint or "")


def test_the_modules_it_is_made_of_are_told(tmp_path: Path) -> None:
    source = 'import { name } from "./schema"; import "./parts/todo";' + SDK.format("build(name);")

    built = build(tmp_path, source, schema="export const name = 'x';", parts__todo="")

    assert built.modules == {tmp_path / "app.ts", tmp_path / "schema.ts", tmp_path / "parts" / "todo.ts"}


def test_the_apps_own_copy_of_the_sdk_goes_first(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "@pylonsync" / "sdk"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "@pylonsync/sdk", "main": "index.js"}')
    (package / "index.js").write_text(f"export const text = {json.dumps(PLAIN)};")

    assert build(tmp_path, 'import { text } from "@pylonsync/sdk"; console.log(text);').text == PLAIN


def test_the_servers_secrets_are_not_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "app.ts").write_text(
        f"console.error(process.env.PYLON_ADMIN_TOKEN, process.env.COLOUR); console.log({json.dumps(PLAIN)});"
    )
    environ = {**os.environ, "PYLON_ADMIN_TOKEN": "secret", "COLOUR": "blue"}

    assert EntryFile(Path("app.ts"), tmp_path, environ).build().said == "undefined blue"


def test_it_works_from_where_a_wheel_puts_the_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages" / "pylon_runtime" / "sdk"
    shutil.copytree(ROOT / hatch_build.SDK_SOURCE, installed)
    monkeypatch.setattr(entry_file, "_PRELOADS", (installed / "preload.ts",))
    folder = tmp_path / "app"
    folder.mkdir()

    built = build(folder, SDK.format('console.log("hi"); build("x");'))

    assert json.loads(built.text)["name"] == "x"
    assert built.modules == {folder / "app.ts"}
