"""``pylon codegen ENTRY``: codes, exit codes, where the manifest goes, and how the words may stand."""

import json
from pathlib import Path

import pytest

from tests.pylon_cli.conftest import Run
from tests.strategies.documents import app

PLAIN = json.dumps(app(), ensure_ascii=False)


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app.ts"
    path.write_text(f"console.log({json.dumps(PLAIN)});")
    return path


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_manifest_is_printed(run: Run, entry: Path, flags: list[str]) -> None:
    assert run("codegen", entry, *flags) == (0, f"{PLAIN}\n", "")


WORDS = [
    ["app.ts", "--out", "made/by/pylon.json"],
    ["--out", "made/by/pylon.json", "app.ts"],
    ["--out=made/by/pylon.json", "app.ts"],
    ["--out", "made/by/pylon.json", "./-x.ts"],
    ["--out", "made/by/pylon.json", "-x.ts"],
    ["-x.ts", "--out", "made/by/pylon.json"],
    ["-h.ts", "--out", "made/by/pylon.json"],
    ["--", "-x.ts"],
]


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_options_come_before_or_after_the_entry_which_is_never_one(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    for name in ("-x.ts", "-h.ts"):
        (tmp_path / name).write_text((tmp_path / "app.ts").read_text())

    outcome = run("codegen", *words, "--json") if "--out" in " ".join(words) else run("codegen", *words)

    assert (outcome.code, outcome.err) == (0, "")
    if "--out" in " ".join(words):
        assert outcome.json == {"code": "CODEGEN_OK", "path": "made/by/pylon.json"}
        assert (tmp_path / "made/by/pylon.json").read_text() == f"{PLAIN}\n"
    else:
        assert outcome.out == f"{PLAIN}\n"


def test_a_person_is_told_where_it_went(run: Run, entry: Path) -> None:
    outcome = run("codegen", entry, "--out", "m.json")

    assert outcome == (0, "  info[CODEGEN_OK] Wrote m.json.\n", "")


def test_what_else_the_entry_says_goes_to_standard_error(run: Run, entry: Path) -> None:
    entry.write_text(f"console.error('careful'); console.log({json.dumps(PLAIN)});")

    assert run("codegen", entry, "--json") == (0, f"{PLAIN}\n", "careful\n")


FAILURES = [
    ([], None, 64, "CODEGEN_NO_ENTRY"),
    (["--out", "m.json"], None, 64, "CODEGEN_NO_ENTRY"),
    (["app.ts", "other.ts"], None, 64, "USAGE"),
    (["app.ts", "--nosuch"], None, 64, "USAGE"),
    (["nowhere.ts"], None, 1, "CODEGEN_ENTRY_NOT_FOUND"),
    (["."], None, 1, "CODEGEN_ENTRY_NOT_FOUND"),
    (["app.ts", "--out", "m.json"], "throw new Error('x')", 1, "BUN_EXIT"),
    (
        ["app.ts", "--out", "m.json"],
        f"console.log('x'); console.log({json.dumps(PLAIN)})",
        1,
        "BUN_INVALID_OUTPUT",
    ),
    (["app.ts", "--out", "app.ts/m.json"], None, 1, "CODEGEN_WRITE_FAILED"),
    (["app.ts", "--out", "."], None, 1, "CODEGEN_WRITE_FAILED"),
]


@pytest.mark.parametrize(("words", "source", "exit_code", "code"), FAILURES, ids=lambda value: str(value)[:40])
def test_a_failure_has_its_codes_and_leaves_no_file(
    run: Run, entry: Path, words: list[str], source: str | None, exit_code: int, code: str
) -> None:
    if source is not None:
        entry.write_text(source)

    for_people = run("codegen", *words)
    for_programs = run("codegen", *words, "--json")

    assert (for_people.code, for_people.out) == (exit_code, "")
    assert for_people.err.startswith(f"  error[{code}] ")
    assert (for_programs.code, for_programs.err) == (exit_code, "")
    assert [found["code"] for found in for_programs.json] == [code]
    assert [path.name for path in entry.parent.iterdir()] == ["app.ts"]


def test_without_bun(run: Run, entry: Path) -> None:
    outcome = run("codegen", entry, "--json", PYLON_BUN="/nowhere/bun")

    assert (outcome.code, outcome.json[0]["code"]) == (1, "BUN_EXEC_FAILED")


def test_a_manifest_that_makes_no_sense_is_printed_all_the_same(run: Run, entry: Path) -> None:
    """Only serving it checks it."""
    text = json.dumps(app(entities=[]))
    entry.write_text(f"console.log({json.dumps(text)});")

    assert run("codegen", entry) == (0, f"{text}\n", "")


def test_help_speaks_of_entries(run: Run) -> None:
    outcome = run("codegen", "--help")

    assert outcome.code == 0
    assert "ENTRY" in outcome.out
    assert "--out" in outcome.out
