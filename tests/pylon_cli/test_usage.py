"""How the command is called, and what it says when called wrongly: exit codes and both forms of output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pylon_runtime.version import VERSION
from tests.pylon_cli.conftest import Run


def test_no_command_prints_the_usage_and_is_no_error(run: Run) -> None:
    outcome = run()

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: pylon")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_and_the_json_form(run: Run, flag: str) -> None:
    outcome = run(flag)

    assert outcome.code == 0
    for word in ("dev ", "start ", "--json", "--version"):
        assert word in outcome.out


@pytest.mark.parametrize("command", ["dev", "start"])
def test_help_of_a_command_explains_its_arguments(run: Run, command: str) -> None:
    outcome = run(command, "--help")

    assert outcome.code == 0
    assert f"Usage: pylon {command} [OPTIONS] [APP]" in outcome.out
    assert "--port" in outcome.out
    assert "4321" in outcome.out


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out == f"pylon, version {VERSION}\n"


BAD_CALLS = [
    (("nosuch",), "nosuch"),
    (("--nosuch",), "--nosuch"),
    (("dev", "--nosuch"), "--nosuch"),
    (("dev", "--port"), "--port"),
    (("dev", "--port", "http"), "'http'"),
    (("dev", "--port", "65536"), "65536"),
    (("start", "--port", "-1"), "-1"),
    (("dev", "a", "b"), "(b)"),
]


@pytest.mark.parametrize(("words", "named"), BAD_CALLS, ids=lambda value: " ".join(value))
def test_a_bad_call_exits_64_and_says_where_to_look(run: Run, words: tuple[str, ...], named: str) -> None:
    outcome = run(*words)

    assert (outcome.code, outcome.out) == (64, "")
    assert outcome.err.startswith("  error[USAGE] ")
    assert named in outcome.err
    assert "--help" in outcome.err


@pytest.mark.parametrize(("words", "named"), BAD_CALLS, ids=lambda value: " ".join(value))
@pytest.mark.parametrize("at_the_end", [False, True])
def test_json_may_stand_anywhere(run: Run, words: tuple[str, ...], named: str, at_the_end: bool) -> None:
    outcome = run(*words, "--json") if at_the_end else run("--json", *words)

    assert (outcome.code, outcome.err) == (64, "")
    (diagnostic,) = outcome.json
    assert (diagnostic["severity"], diagnostic["code"]) == ("error", "USAGE")
    assert named in diagnostic["message"]


def test_a_mistyped_command_brings_a_suggestion(run: Run) -> None:
    assert "start" in run("strat").err
    assert "Did you mean" not in run("zzzzzzz").err


def test_a_manifest_stands_for_its_folder_and_no_other_file_does(run: Run, notes: Path) -> None:
    other = notes / "other.json"
    other.write_text("{}")

    assert run("dev", other).code == 64
    # It gets as far as the configuration.
    assert "PYLON_PORT" in run("dev", notes / "pylon.manifest.json", PYLON_PORT="abc").err


SCRIPT = "import sys; from pylon_cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(("words", "code"), [(["nosuch"], 64), (["nosuch", "--json"], 64), ([], 0)])
def test_a_reader_that_goes_away_changes_nothing(words: list[str], code: int) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        command = [sys.executable, "-c", SCRIPT, *words]
        process = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, timeout=30, check=False)
    finally:
        os.close(write_end)

    assert process.returncode == code
    assert b"Traceback" not in process.stderr
    assert b"Broken pipe" not in process.stderr


@pytest.mark.parametrize("words", [["nosuch"], ["nosuch", "--json"]])
def test_closed_output_changes_nothing(words: list[str]) -> None:
    command = 'exec "$0" -c "$1" "$2" $3 >&- 2>&-'

    process = subprocess.run(["sh", "-c", command, sys.executable, SCRIPT, *words], timeout=30, check=False)

    assert process.returncode == 64
