"""The client that ``pylon dev`` keeps beside an entry file."""

import os
from pathlib import Path

import pytest

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.writing import write_client_beside
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from tests.pylon_cli.codegen.apps import SHOP, block

PING = 'export default { type: "query", args: {}, handler: async () => "pong" };'


def write(entry: Path, **environ: str) -> str:
    write_client_beside(entry, SHOP, entry.parent / "functions", {**os.environ, **environ}, SystemClock())
    return (entry.parent / "pylon.client.ts").read_text()


def test_it_is_called_pylon_client_ts_and_knows_the_functions(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "ping.ts").write_text(PING)

    source = write(tmp_path / "app.ts")

    declared = 'ping: { input: Record<string, never>; output: Output<typeof import("./functions/ping")> };'
    assert declared in block(source, "export type Functions")


def test_functions_in_python_are_among_them(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "ping.ts").write_text(PING)
    (tmp_path / "functions" / "pong.py").write_text(
        "from pylon_functions.python.authoring import query\n"
        "from pylon_functions.python.context import QueryContext\n\n\n"
        "@query\ndef pong(ctx: QueryContext, name: str) -> str:\n    return name\n"
    )

    source = write(tmp_path / "app.ts")

    assert "pong: { input: PongInput; output: PongOutput };" in block(source, "export type Functions")
    assert "name: string;" in block(source, "export interface PongInput")
    assert "ping:" in block(source, "export type Functions")


@pytest.mark.parametrize("folder", [True, False], ids=["without Bun", "without a folder"])
def test_functions_that_nobody_can_load_keep_no_client_from_being_written(tmp_path: Path, folder: bool) -> None:
    if folder:
        (tmp_path / "functions").mkdir()
        (tmp_path / "functions" / "ping.ts").write_text(PING)

    assert write(tmp_path / "app.ts", PYLON_BUN="/nowhere/bun") == client_source("ts", SHOP, None)


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "pylon.client.ts").mkdir()

    with pytest.raises(PylonError) as refused:
        write(tmp_path / "app.ts")

    assert refused.value.code == "CODEGEN_CLIENT_WRITE_FAILED"
