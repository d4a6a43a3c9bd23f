"""What the package may import, and what the stand-in for D1 refuses."""

import subprocess
import sys

import pytest

from pylon_workers import D1Error, Statement
from tests.support.d1 import LocalD1


def test_no_server_library_comes_with_it() -> None:
    program = (
        "import sys, pylon_workers;"
        "print(sorted({'werkzeug', 'simple_websocket', 'httptools', 'flask'} & set(sys.modules)))"
    )

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN",
        " begin immediate",
        "COMMIT",
        "SAVEPOINT a",
        "PRAGMA journal_mode = wal",
        "PRAGMA synchronous(0)",
        "ATTACH 'x' AS x",
        "SELECT " + "1, " * 50_000 + "1",
        f"SELECT {', '.join('?' * 101)}",
        f"SELECT max({', '.join(map(str, range(33)))})",
    ],
    ids=lambda text: text[:20],
)
def test_the_local_database_refuses_what_d1_does(d1: LocalD1, text: str) -> None:
    with pytest.raises(D1Error):
        d1.query(text, (1,) * text.count("?"))


def test_a_batch_of_the_local_database_is_atomic(d1: LocalD1) -> None:
    d1.execute("CREATE TABLE t (a UNIQUE)", ())

    with pytest.raises(D1Error, match="UNIQUE constraint failed"):
        d1.batch([Statement("INSERT INTO t VALUES (1)"), Statement("INSERT INTO t VALUES (1)")])

    assert d1.query("SELECT a FROM t", ()) == []
