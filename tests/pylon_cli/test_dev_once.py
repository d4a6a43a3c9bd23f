"""``pylon dev --once``: everything that can be said of an app without serving it."""

import json
from pathlib import Path

import pytest

from tests.pylon_cli.conftest import Run
from tests.strategies.documents import app, policy

NOTES = app(
    queries=[{"name": "find"}],
    actions=[{"name": "add"}],
    policies=[policy("open", entity="Note")],
    routes=[{"path": "/", "mode": "static"}],
)


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "ping.ts").write_text(
        'export default { type: "query", args: {}, handler: async () => "pong" };'
    )
    return write(tmp_path / "app.ts", json.dumps(NOTES))


def write(entry: Path, text: str) -> Path:
    entry.write_text(f"console.log({json.dumps(text)});")
    return entry


def test_it_leaves_the_manifest_and_the_client_and_opens_no_database(run: Run, entry: Path) -> None:
    outcome = run("dev", "--once", "--json")

    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out) == {
        "code": "DEV_OK",
        "name": NOTES["name"],
        "version": NOTES["version"],
        "entry": "app.ts",
        "entities": ["Note"],
        "queries": ["find"],
        "actions": ["add"],
        "policies": ["open"],
        "routes": ["/"],
        "warnings": [],
    }
    assert json.loads((entry.parent / "pylon.manifest.json").read_text()) == NOTES
    assert '"ping"' in (entry.parent / "pylon.client.ts").read_text()
    assert not (entry.parent / ".pylon").exists()


def test_a_person_is_told_in_a_line(run: Run, entry: Path) -> None:
    outcome = run("dev", entry.parent, "--once")

    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        f"{NOTES['name']} {NOTES['version']}: 1 entities, 1 queries, 1 actions, 1 policies, 1 routes"
    ]


def test_what_is_wrong_is_told_and_nothing_is_written(run: Run, entry: Path) -> None:
    write(entry, json.dumps(app(entities=[])))

    outcome = run("dev", "--once", "--json")

    assert outcome.code == 1
    assert [problem["code"] for problem in json.loads(outcome.out)] == ["SCHEMA_EMPTY"]
    assert not (entry.parent / "pylon.manifest.json").exists()
    assert not (entry.parent / "pylon.client.ts").exists()


def test_functions_that_cannot_be_loaded_are_a_warning(run: Run, entry: Path) -> None:
    (broken := entry.parent / "functions" / "_broken.ts").write_text("process.exit(1);")

    outcome = run("dev", "--once", "--json", PYLON_FUNCTIONS_RUNTIME=str(broken))

    assert outcome.code == 0
    (warning,) = json.loads(outcome.out)["warnings"]
    assert (warning["severity"], warning["code"]) == ("warning", "CODEGEN_CLIENT_NO_FUNCTIONS")
    assert (entry.parent / "pylon.client.ts").exists()


def test_a_manifest_written_by_hand_is_checked_and_has_no_client_beside_it(run: Run, entry: Path) -> None:
    entry.with_name("pylon.manifest.json").write_text(json.dumps(NOTES))
    entry.unlink()

    outcome = run("dev", "--once", "--json")

    assert json.loads(outcome.out)["entities"] == ["Note"]
    assert "entry" not in json.loads(outcome.out)
    assert not entry.with_name("pylon.client.ts").exists()


def test_what_cannot_be_written_is_an_error(run: Run, entry: Path) -> None:
    (entry.parent / "pylon.client.ts").mkdir()

    outcome = run("dev", "--once", "--json")

    assert outcome.code == 1
    assert [problem["code"] for problem in json.loads(outcome.out)] == ["CODEGEN_CLIENT_WRITE_FAILED"]
