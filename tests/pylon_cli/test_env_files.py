"""Environment files: which are read, what they say, and that the process's own environment wins."""

from pathlib import Path

import pytest

from pylon_cli.env_files import EnvFiles
from pylon_core.errors import PylonError


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f".{name.replace('_', '.')}").write_text(text)


LINES = [
    ("A=1", "1"),
    ("A=", ""),
    ("  export A = one two  ", "one two"),
    ("A=one # two", "one"),
    ("A=#two", ""),
    ("A=one#two", "one#two"),
    ('A="one # two" # three', "one # two"),
    ("A='one \\n \" two'", 'one \\n " two'),
    (r'A="one\ntwo \"three\" \\"', 'one\ntwo "three" \\'),
    ('A="one\ntwo"', "one\ntwo"),
    ('A=`it\'s "it"`', 'it\'s "it"'),
    ("A=postgres://u:p@host/db?x=1#f", "postgres://u:p@host/db?x=1#f"),
    ("# A=2\nA=1\n\n!!\n=3\n", "1"),
    ("A=1\nA=2", "2"),
    ("\ufeffA=1", "1"),
    ("A=1\r\nB=2\r\n", "1"),
]


@pytest.mark.parametrize(("text", "value"), LINES, ids=[repr(line[0]) for line in LINES])
def test_a_line(tmp_path: Path, text: str, value: str) -> None:
    (tmp_path / ".env").write_bytes(text.encode())
    environ: dict[str, str] = {}

    EnvFiles(tmp_path, environ).load()

    assert environ["A"] == value


def test_the_process_goes_before_local_goes_before_the_rest(tmp_path: Path) -> None:
    write(tmp_path, env="A=env\nB=env\nC=env\nD=env", env_local="A=local\nB=local")
    environ = {"A": "process", "D": ""}

    found = EnvFiles(tmp_path, environ).load()

    assert environ == {"A": "process", "B": "local", "C": "env", "D": ""}
    assert [path.name for path in found] == [".env.local", ".env"]


def test_only_the_nearest_folder_that_has_one_counts(tmp_path: Path) -> None:
    write(tmp_path, env="A=far\nB=far", env_local="C=far")
    write(tmp_path / "near", env_local="A=near")
    (tmp_path / "near" / "app").mkdir()
    environ: dict[str, str] = {}

    EnvFiles(tmp_path / "near" / "app", environ).load()

    assert environ == {"A": "near"}


def test_loading_again_forgets_what_is_no_longer_said(tmp_path: Path) -> None:
    write(tmp_path, env="A=1\nB=1\nC=1")
    environ = {"C": "process"}
    files = EnvFiles(tmp_path, environ)
    files.load()

    write(tmp_path, env="A=2")
    files.load()

    assert environ == {"A": "2", "C": "process"}


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert EnvFiles(tmp_path, {}).load() == []


@pytest.mark.parametrize("content", [b"A=\xff\xfe", b"A=1\0"])
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(PylonError) as failed:
        EnvFiles(tmp_path, {}).load()

    assert failed.value.code == "INVALID_CONFIG"
    assert ".env" in failed.value.message
