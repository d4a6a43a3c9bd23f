"""Apps written in TypeScript: ``dev`` builds, serves and follows them, ``start`` builds and serves them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.test_commands import PRODUCTION, Command, command
from tests.support.waiting import until

APP = """
import { buildManifest, policy } from "@pylonsync/sdk";
import { Todo } from "./schema";

console.log("building", process.env.COLOUR);
console.log(JSON.stringify(buildManifest({
  name: "todo", version: process.env.COLOUR ?? "1", entities: [Todo], routes: [],
  policies: [policy({ name: "open", entity: "Todo", allow: "true" })],
})));
"""
SCHEMA = """
import { entity, field, type Infer } from "@pylonsync/sdk";
import { title } from "./parts/title";
export const Todo = entity("Todo", { %s: title });
export type Todo = Infer<typeof Todo>;
"""
TITLE = 'import { field } from "@pylonsync/sdk"; export const title = field.string()%s;'


def field(folder: Path) -> dict[str, object]:
    """The one field of the manifest that lies beside the entry."""
    manifest = json.loads((folder / "pylon.manifest.json").read_text())
    (found,) = manifest["entities"][0]["fields"]
    return dict(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "app.ts").write_text(APP)
    (tmp_path / "schema.ts").write_text(SCHEMA % "title")
    (tmp_path / "parts" / "title.ts").write_text(TITLE % "")
    return tmp_path


@pytest.fixture
def dev(folder: Path) -> Iterator[Command]:
    with command("dev", "--json", folder=folder) as dev:
        yield dev


def test_dev_builds_the_manifest_and_follows_every_module(folder: Path, dev: Command) -> None:
    first = dev.event()
    assert (first["code"], first["name"], first["entry"]) == ("DEV_OK", "todo", "app.ts")
    until(lambda: (folder / "pylon.manifest.json").exists())
    assert field(folder)["name"] == "title"

    (folder / "schema.ts").write_text(SCHEMA % "label")
    assert dev.event()["code"] == "DEV_OK"
    until(lambda: field(folder)["name"] == "label")

    (folder / "parts" / "title.ts").write_text(TITLE % ".optional()")
    assert dev.event()["code"] == "DEV_OK"
    until(lambda: field(folder)["optional"] is True)


def test_an_entry_that_breaks_is_reported_and_the_last_one_goes_on(folder: Path, dev: Command) -> None:
    port = dev.event()["port"]
    until(lambda: (folder / "pylon.manifest.json").exists())
    last_good = (folder / "pylon.manifest.json").read_bytes()

    (folder / "schema.ts").write_text(SCHEMA % "title" + "throw new Error('half typed');")
    failed = dev.event()
    assert (failed["code"], failed["diagnostics"][0]["code"]) == ("DEV_ERROR", "BUN_EXIT")
    assert "half typed" in failed["diagnostics"][0]["hint"]

    (folder / "schema.ts").write_text((SCHEMA % "title").replace("title: title", "id: title"))
    failed = dev.event()
    assert failed["diagnostics"][0]["code"] == "FIELD_NAME_RESERVED"
    assert failed["diagnostics"][0]["span"] == {"file": "app.ts"}
    assert (folder / "pylon.manifest.json").read_bytes() == last_good

    (folder / "schema.ts").write_text(SCHEMA % "label")
    again = dev.event()
    assert (again["code"], again["port"]) == ("DEV_OK", port)


def test_a_changed_environment_file_begins_anew(folder: Path, dev: Command) -> None:
    first = dev.event()
    assert first["version"] == "1"

    (folder / ".env").write_text("COLOUR=blue")
    again = dev.event()
    while again["rebuild"] > 1:  # Bun reads the file too, when it happens to build at this moment
        again = dev.event()
    assert (again["code"], again["version"]) == ("DEV_OK", "blue")
    assert again["port"] == first["port"]

    (folder / ".env").write_text("PYLON_DRAIN_SECS=soon")
    failed = dev.event()
    assert (failed["code"], failed["diagnostics"][0]["code"]) == ("DEV_ERROR", "INVALID_CONFIG")

    (folder / ".env.local").write_text("COLOUR=green\nPYLON_DRAIN_SECS=1")
    assert dev.event()["version"] == "green"


def test_a_first_build_that_hangs_can_be_stopped(folder: Path) -> None:
    (folder / "app.ts").write_text("await Bun.write('started', ''); setInterval(() => {}, 1000);")

    with command("dev", "--json", folder=folder) as dev:
        until(lambda: (folder / "started").exists())
        assert dev.end() == []


@pytest.mark.parametrize("name", ["app.ts", "-x.ts", "schema.js"])
def test_start_builds_serves_and_writes_nothing(folder: Path, name: str) -> None:
    (folder / "app.ts").rename(folder / name)
    (folder / ".env").write_text("COLOUR=red")

    with command("start", "--json", folder=folder / name, env=PRODUCTION) as start:
        event = start.event()
        assert (event["code"], event["entry"], event["version"]) == ("START_OK", name, "red")
        assert start.end() == []
    assert not (folder / "pylon.manifest.json").exists()


def test_a_file_named_like_an_option_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "app.ts").rename(folder / "-x.ts")
    monkeypatch.chdir(folder)

    with command("start", "--json", folder=Path("-x.ts"), env=PRODUCTION) as start:
        assert start.event()["entry"] == "-x.ts"


def test_a_manifest_that_is_named_is_taken_as_it_is(folder: Path) -> None:
    """For servers without Bun: what was built before."""
    with command("dev", "--json", folder=folder) as dev:
        dev.event()
        until(lambda: (folder / "pylon.manifest.json").exists())
    (folder / "app.ts").write_text("throw new Error('not run');")

    with command("start", "--json", folder=folder / "pylon.manifest.json", env=PRODUCTION) as start:
        event = start.event()

    assert (event["code"], event["name"]) == ("START_OK", "todo")
    assert "entry" not in event


def test_start_with_an_entry_that_fails_does_not_serve_an_old_manifest(folder: Path) -> None:
    (folder / "pylon.manifest.json").write_text("{}")

    with command("start", "--json", folder=folder, env={**PRODUCTION, "PYLON_BUN": "/nowhere"}) as start:
        (found,) = start.event()

    assert found["code"] == "BUN_EXEC_FAILED"
    assert os.listdir(folder / "parts") == ["title.ts"]
