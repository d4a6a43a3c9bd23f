"""``pylon test`` over apps with tests in both languages: which files run, against what, and what is said."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pylon_cli.testing.files import find_test_files
from tests.pylon_cli.conftest import Run
from tests.pylon_runtime.testing.apps import write_app
from tests.support.waiting import until

SELL = """
import { mutation, v } from "@pylonsync/functions";
export default mutation({
  args: { title: v.string() },
  handler: (ctx, args) => ctx.db.insert("Lot", { title: args.title, price: 1, ownerId: ctx.auth.userId ?? "" }),
});
"""
PASSING = """
import { afterAll, expect, test } from "bun:test";
import { installTestIsolation, testServer } from "@pylonsync/functions/testing";

type Mine = { sellInTypeScript: typeof import("../functions/sellInTypeScript").default };
const server = await testServer<Mine>();
installTestIsolation();
afterAll(() => server.stop());

for (const run of [1, 2]) {
  test(`each test has an empty database, ${run}`, async () => {
    expect(server.url).toBe(process.env.PYLON_TEST_URL!);
    expect(await server.admin.rows("Lot")).toEqual([]);
    const lot = await server.as("ann").call("sellInTypeScript", { title: "vase" });
    expect(await server.as("ann").row("Lot", lot)).toMatchObject({ title: "vase", ownerId: "ann" });
    expect(await server.as("bob").rows("Lot")).toEqual([]);
  });
}
test("what others do is waited for", async () => {
  const ann = server.as("ann");
  await ann.call("sellInTypeScript", { title: "vase" });
  await server.anonymous.request("POST", "/api/fn/raise_later", { title: "vase" });
  await server.jobsSettled();
  expect(await ann.rows("Lot")).toMatchObject([{ price: 3 }]);
  const told = await server.anonymous.request("POST", "/api/fn/tell", {});
  expect(told).toBe(7);
});
"""
LEAVING = """
import { expect, test } from "bun:test";
import { testServer } from "@pylonsync/functions/testing";
test("every file begins with a server of its own", async () => {
  const server = await testServer();
  expect(await server.admin.rows("Lot")).toEqual([]);
  await server.admin.insert("Lot", { title: "left behind", price: 1, ownerId: "x" });
});
"""
OWN_SERVER = """
import { expect, test } from "bun:test";
import { startServer } from "@pylonsync/functions/testing";
test("a server of one's own", async () => {
  await using server = await startServer({ env: { GREETING: "hello" } });
  expect(server.url).not.toBe(process.env.PYLON_TEST_URL!);
  expect(await server.guest().stream("tell")).toEqual({
    chunks: [{ text: "a\\nb" }, { text: "c", event: "named" }],
    value: 7,
  });
});
"""
FAILING = """
import { expect, test } from "bun:test";
test("fails", () => { console.log("on standard output"); expect(1).toBe(2); });
"""
IN_PYTHON = """
def test_selling(pylon_client):
    assert pylon_client.as_user("ann").call("sell", {"title": "vase"})
    assert len(pylon_client.as_admin().rows("Lot")) == 1
"""
WITHOUT_INSTALLED_PLUGINS = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "pylon_runtime.pytest_plugin",
    "PYTEST_ADDOPTS": "-p no:cacheprovider",
}


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        (line,) = self.out.splitlines()
        return json.loads(line)


def pylon_test(app: Path, *words: str, **environ: str) -> Outcome:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYLON_", "PYTEST_"))}
    run = subprocess.run(
        [sys.executable, "-m", "pylon_cli", "test", *words],
        cwd=app,
        env={**given, **WITHOUT_INSTALLED_PLUGINS, **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Outcome(run.returncode, run.stdout, run.stderr)


def write(app: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = app / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return app


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write(write_app(tmp_path / "lots"), {"functions/sellInTypeScript.ts": SELL})


def test_each_file_has_a_server_of_its_own_and_each_test_an_empty_database(app: Path) -> None:
    write(app, {"tests/a.test.ts": PASSING, "tests/deep/left.test.ts": LEAVING, "tests/right.test.ts": LEAVING})

    outcome = pylon_test(app, "--json")

    assert outcome.code == 0, outcome.err
    names = ["tests/a.test.ts", "tests/deep/left.test.ts", "tests/right.test.ts"]
    assert outcome.json == {
        "total": 3,
        "passed": 3,
        "failed": 0,
        "files": [{"file": name, "status": "passed"} for name in names],
    }


def test_a_test_may_start_a_server_of_its_own_whatever_the_path(app: Path) -> None:
    write(app, {"tests/own.test.ts": OWN_SERVER})

    outcome = pylon_test(app, PATH="/usr/bin:/bin")

    assert outcome.code == 0, outcome.err


def test_failures_and_what_cannot_be_run_are_told_apart(app: Path) -> None:
    write(app, {"tests/bad.test.ts": FAILING, "tests/test_good.py": IN_PYTHON})

    failed = pylon_test(app, "--json")
    without_bun = pylon_test(app, "bad", "--json", PYLON_BUN="/nowhere/bun")

    assert failed.code == 1
    assert failed.json["files"] == [
        {"file": "tests/bad.test.ts", "status": "failed", "exit_code": 1},
        {"file": "tests/test_good.py", "status": "passed"},
    ]
    assert "on standard output" in failed.err
    assert without_bun.code == 1
    (file,) = without_bun.json["files"]
    assert file["status"] == "error"
    assert "Bun was not found" in file["error"]


def test_an_app_that_does_not_start_fails_its_tests_with_the_reason(app: Path) -> None:
    write(app, {"tests/test_good.py": IN_PYTHON})
    (app / "pylon.manifest.json").write_text("{")

    outcome = pylon_test(app, "--json")

    assert outcome.code == 1
    assert "did not start" in outcome.json["files"][0]["error"]


def test_python_tests_alone_run_with_pytest(app: Path) -> None:
    write(app, {"tests/test_sell.py": IN_PYTHON, "tests/empty_test.py": "x = 1\n"})

    outcome = pylon_test(app)

    assert outcome.code == 0, outcome.err
    assert "Test files: 2, passed: 2, failed: 0." in outcome.err
    assert "1 passed" in outcome.out


def test_python_tests_of_an_app_without_python_functions_are_left_to_it(app: Path) -> None:
    (app / "functions" / "lots.py").unlink()
    write(app, {"tests/test_sell.py": "assert 0\n"})

    outcome = pylon_test(app, "--json")

    assert (outcome.code, outcome.json["total"]) == (1, 0)
    assert "1 files in Python" in outcome.err


@pytest.mark.parametrize(
    ("words", "environ", "names"),
    [
        ((), {}, ["tests/one.test.ts"]),
        (("nothing",), {}, []),
        ((), {"PYLON_TEST_DIR": "spec"}, ["spec/three.test.ts"]),
    ],
    ids=["tests before functions", "a filter", "a folder named"],
)
def test_where_tests_are_looked_for(
    app: Path, words: tuple[str, ...], environ: dict[str, str], names: list[str]
) -> None:
    passing = 'import { test } from "bun:test"; test("x", () => {});'
    write(app, {"tests/one.test.ts": passing, "functions/two.test.ts": passing, "spec/three.test.ts": passing})

    outcome = pylon_test(app, *words, "--json", **environ)

    assert outcome.code == (0 if names else 1), outcome.err
    assert [file["file"] for file in outcome.json["files"]] == names


def test_without_a_folder_of_tests_or_an_app_it_says_so(app: Path, tmp_path: Path) -> None:
    missing = pylon_test(app, "--json", PYLON_TEST_DIR="nowhere")
    no_app = pylon_test(app, "--app", str(tmp_path / "nothing"), "--json")

    assert (missing.code, missing.json[0]["code"]) == (1, "TEST_DIR_NOT_FOUND")
    assert (no_app.code, no_app.json[0]["code"]) == (1, "TEST_APP_NOT_FOUND")


def test_files_are_sorted_by_path_and_installed_ones_are_nobodys_tests(tmp_path: Path) -> None:
    names = [
        "b.test.ts",
        "a/z.test.js",
        "a/test_y.py",
        "a/x_test.py",
        "node_modules/m/i.test.ts",
        ".git/h.test.ts",
    ]
    for name in [*names, "a/helper.ts", "a/conftest.py", "a/y.test.tsx"]:
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    found = [file.name for file in find_test_files(tmp_path, tmp_path / "tests", "")]

    assert found == ["tests/a/test_y.py", "tests/a/x_test.py", "tests/a/z.test.js", "tests/b.test.ts"]
    assert [file.name for file in find_test_files(tmp_path, tmp_path / "tests", "a/z")] == ["tests/a/z.test.js"]


HANGING = """
import { test } from "bun:test";
import { startServer } from "@pylonsync/functions/testing";
test("waits for ever", async () => {
  await startServer();
  await Bun.write(process.env.TEST_REACHED!, "");
  await new Promise(() => setInterval(() => {}, 1000));
}, 600_000);
"""
HANGING_IN_PYTHON = """
import os, pathlib, time
def test_waits_for_ever(pylon_client):
    pathlib.Path(os.environ["TEST_REACHED"]).touch()
    time.sleep(600)
"""
BUSY = """
import { test } from "bun:test";
import { writeFileSync } from "node:fs";
test("computes for ever", () => { writeFileSync(process.env.TEST_REACHED!, ""); while (true); });
"""


def tell(process: "subprocess.Popen[bytes]", how: str) -> None:
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all that it started hear it as well
    else:
        process.send_signal(signal.Signals[how])


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP", "Ctrl-C"])
@pytest.mark.parametrize(
    ("file", "text"),
    [("tests/a.test.ts", HANGING), ("tests/busy.test.ts", BUSY), ("tests/test_a.py", HANGING_IN_PYTHON)],
    ids=["typescript", "busy", "python"],
)
def test_a_signal_ends_tests_that_hang_and_leaves_nothing(
    app: Path, tmp_path: Path, file: str, text: str, how: str
) -> None:
    write(app, {file: text})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    reached = tmp_path / "reached"
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYLON_", "PYTEST_"))}
    mark = str(reached)
    with subprocess.Popen(
        [sys.executable, "-m", "pylon_cli", "test", "--json"],
        cwd=app,
        env={**given, **WITHOUT_INSTALLED_PLUGINS, "TMPDIR": str(temporary), "TEST_REACHED": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            until(reached.exists, "the test hangs")
            tell(process, how)
            out, _ = process.communicate(timeout=40)
        finally:
            process.kill()

    assert (process.returncode, out) == (1, b"")
    until(lambda: not processes_with(mark), "everything that was started has ended")
    assert [entry.name for entry in temporary.iterdir() if entry.name.startswith("pylon-")] == []


def processes_with(mark: str) -> list[int]:
    """Those that were started with this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if f"TEST_REACHED={mark}\0".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def test_two_runs_at_once_do_not_meet(app: Path) -> None:
    write(app, {"tests/a.test.ts": PASSING, "tests/left.test.ts": LEAVING, "tests/test_sell.py": IN_PYTHON})

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lambda _: pylon_test(app, "--json"), range(2)))

    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    assert [outcome.json["passed"] for outcome in outcomes] == [3, 3]


def test_without_pytest_tests_in_python_are_errors_that_say_how_to_get_it(
    app: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(app, {"tests/test_sell.py": IN_PYTHON})
    monkeypatch.setitem(sys.modules, "pytest", None)

    outcome = run("test", "--app", app, "--json")

    assert outcome.code == 1
    (file,) = outcome.json["files"]
    assert file["status"] == "error"
    assert f"{sys.executable} -m pip install pytest" in file["error"]
