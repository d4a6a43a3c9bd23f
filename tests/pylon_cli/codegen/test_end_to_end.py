"""Generated clients against a real server: what their types promise is what comes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.functions import announced, function_files
from pylon_core.clock import SystemClock
from pylon_runtime.bun_locate import find_bun
from tests.pylon_cli.codegen.apps import manifest, mypy, tsc
from tests.strategies.documents import app, entity, field, policy
from tests.support.servers import ServerProcess
from tests.support.waiting import until

NOTES = app(
    entities=[
        entity(
            "Note",
            fields=[
                field(),
                field("done", "bool"),
                field("due-date", "datetime", optional=True),
                field("count", "int", optional=True),
            ],
        ),
        entity("Secret"),
    ],
    actions=[{"name": "restock", "input": [field("count", "int")]}],
    policies=[policy(entity="Note"), policy("shut", entity="Secret", allow="false")],
)

ADD_NOTE = """
import { mutation, v } from "@pylonsync/functions";
export default mutation({
  args: { title: v.string(), class: v.optional(v.union(v.literal("a"), v.literal("b"))) },
  handler: async (ctx, args) => {
    const id = await ctx.db.insert("Note", { title: args.title, done: true });
    return { id, class: args.class };
  },
});
"""
REFUSE = """
import { mutation } from "@pylonsync/functions";
export default mutation({
  args: {},
  handler: async (ctx) => {
    throw ctx.error("TOO_LATE", "The shop is shut.");
  },
});
"""

DESCRIBE = """
from dataclasses import dataclass
from datetime import date

from pylon_functions import QueryContext, mutation, query


@dataclass
class Described:
    title: str
    day: date
    counts: dict[str, int]
    note: str | None = None


@query
def describe(ctx: QueryContext, title: str) -> list[Described]:
    return [Described(title, date(2026, 5, 3), {"words": 1})]


@mutation(internal=True)
def sweep(ctx, title: str) -> None: ...
"""

TYPESCRIPT = """
import { createServerClient, PylonRequestError } from "./client";

const client = createServerClient(undefined, process.argv[2]);
const told = (problem: unknown) =>
  problem instanceof PylonRequestError ? [problem.status, problem.code, problem.message] : String(problem);
const made = await client.insert("Note", { title: "milk", done: false });
const changed = await client.update("Note", made.id, { done: true, "due-date": "2026-05-03T00:00:00Z" });
const added = await client.fn("addNote", { title: "eggs", class: "b" });
const rows = await client.list("Note");
console.log(JSON.stringify({
  made,
  changed,
  added,
  titles: rows.map((row) => row.title).sort(),
  got: (await client.get("Note", made.id))?.done,
  missing: await client.get("Note", "none"),
  removed: await client.remove("Note", made.id),
  action: await client.actions.restock({ count: 3 }),
  described: await client.fn("describe", { title: "milk" }).then(([one]) => {
    type Whole = { title: string; day: string; counts: Record<string, number>; note: string | null };
    const whole: Whole | undefined = one;
    return whole;
  }),
  refused: await client.fn("refuse").catch(told),
  hidden: await client.insert("Secret", { title: "x" }).catch(told),
}));
"""

PYTHON = """
import json, sys
from client import DescribeOutputItem, PylonClient, PylonError

client = PylonClient(sys.argv[1], sys.argv[2])
notes = client.entities.Note

def told(call):
    try:
        return call()
    except PylonError as error:
        return [error.status, error.code, error.message]

made = notes.insert({"title": "milk", "done": False})
changed = notes.update(made["id"], {"done": True, "due-date": "2026-05-03T00:00:00Z"})
added = client.functions.addNote(**{"title": "eggs", "class": "b"})
described: list[DescribeOutputItem] = client.functions.describe(title="milk")
print(json.dumps({
    "made": made,
    "changed": changed,
    "added": added,
    "titles": sorted(note["title"] for note in notes.list()),
    "got": notes.get(made["id"])["done"],
    "missing": notes.get("none"),
    "removed": {"deleted": notes.remove(made["id"]) is None},
    "action": client.actions.restock(count=3),
    "described": described[0],
    "refused": told(client.functions.refuse),
    "hidden": told(lambda: client.entities.Secret.insert({"title": "x"})),
}))
"""


TYPED_USE = """
from typing import assert_type

from client import PylonClient

(described,) = PylonClient().functions.describe(title="milk")
assert_type(described["day"], str)
assert_type(described["counts"], dict[str, int])
assert_type(described["note"], str | None)
"""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("notes")
    (folder / "pylon.manifest.json").write_text(json.dumps(NOTES))
    (folder / "functions").mkdir()
    (folder / "functions" / "addNote.ts").write_text(ADD_NOTE)
    (folder / "functions" / "refuse.ts").write_text(REFUSE)
    (folder / "functions" / "describing.py").write_text(DESCRIBE)
    server = ServerProcess(folder)
    try:
        yield server.start()
    finally:
        server.stop()


def generate(server: ServerProcess, target: str, out: Path) -> None:
    folder = server.app / "functions"
    definitions = announced(folder, {}, SystemClock(), print)
    files = function_files(definitions, folder, None)
    source = client_source(target, manifest(NOTES), files)
    assert "sweep" not in source
    out.write_text(source)


def assert_all_went_well(told: dict[str, object]) -> None:
    made, changed, added = told.pop("made"), told.pop("changed"), told.pop("added")
    assert isinstance(made, dict)
    assert isinstance(changed, dict)
    assert isinstance(added, dict)
    row = {"title": "milk", "done": False, "due-date": None, "count": None}
    assert made == {**row, "id": made["id"]}
    assert changed == {**made, "done": True, "due-date": "2026-05-03T00:00:00Z", "updated": True}
    assert added == {"id": added["id"], "class": "b"}
    assert told == {
        "titles": ["eggs", "milk"],
        "got": True,
        "missing": None,
        "removed": {"deleted": True},
        "action": {"action": "restock", "executed": True, "input": {"count": 3}},
        "described": {"title": "milk", "day": "2026-05-03", "counts": {"words": 1}, "note": None},
        "refused": [400, "TOO_LATE", "The shop is shut."],
        "hidden": [403, "POLICY_DENIED", "You are not allowed to do this."],
    }


def emptied(server: ServerProcess, token: str) -> None:
    for row in server.request("GET", "/api/entities/Note", token=token)[1]:
        server.request("DELETE", f"/api/entities/Note/{row['id']}", token=token)


def test_the_typescript_client_under_bun(notes: ServerProcess, tmp_path: Path) -> None:
    token, _ = notes.guest()
    emptied(notes, token)
    generate(notes, "ts", tmp_path / "client.ts")
    (tmp_path / "use.ts").write_text(TYPESCRIPT)
    (tmp_path / "process.d.ts").write_text("declare const process: { argv: string[] };")
    assert tsc(tmp_path) == ""
    bun = find_bun({})
    assert bun is not None

    ran = subprocess.run(
        [bun, "run", "use.ts", token],
        cwd=tmp_path,
        env={"PYLON_URL": f"{notes.url}/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.stderr == ""
    assert_all_went_well(json.loads(ran.stdout))


def test_the_python_client(notes: ServerProcess, tmp_path: Path) -> None:
    token, _ = notes.guest()
    emptied(notes, token)
    generate(notes, "python", tmp_path / "client.py")
    (tmp_path / "use.py").write_text(PYTHON)
    (tmp_path / "typed").mkdir()
    (tmp_path / "typed" / "client.py").write_text((tmp_path / "client.py").read_text())
    (tmp_path / "typed" / "use.py").write_text(TYPED_USE)
    assert mypy(tmp_path / "typed") == ""

    ran = subprocess.run(
        [sys.executable, "-W", "error", "use.py", f"{notes.url}/", token],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.stderr == ""
    assert_all_went_well(json.loads(ran.stdout))


def test_pylon_dev_keeps_a_client_beside_the_entry_file(tmp_path: Path) -> None:
    (tmp_path / "app.ts").write_text(f"console.log(JSON.stringify({json.dumps(NOTES)}));")
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "refuse.ts").write_text(REFUSE)
    client = tmp_path / "pylon.client.ts"

    def knows(*names: str) -> bool:
        source = client.read_text() if client.exists() else ""
        return f"FunctionName = {' | '.join(map(json.dumps, names))};" in source

    server = ServerProcess(tmp_path)
    try:
        server.start()
        until(lambda: knows("refuse"), "the client")

        (tmp_path / "functions" / "addNote.ts").write_text(ADD_NOTE)
        until(lambda: knows("addNote", "refuse"), "the new function in it")

        text = json.dumps(NOTES).replace("Secret", "Hidden")
        (tmp_path / "app.ts").write_text(f"console.log(JSON.stringify({text}));")
        until(lambda: '"Note" | "Hidden"' in client.read_text(), "the new entity in it")
    finally:
        assert server.stop() == 0
