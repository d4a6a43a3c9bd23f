"""``pylon dev`` tells what is wrong with function files in TypeScript, and where; the others go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import Server, replace_file, returning, serving, write_app


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    app = write_app(tmp_path / "app", functions={"ping": returning("pong")})
    (app / "functions" / "broken.ts").write_text("\n\nexport default query(;\n")
    with serving(app) as server:
        yield server


def test_what_is_wrong_with_a_file_is_a_diagnostic_with_its_place(server: Server) -> None:
    server.await_log("error[FUNCTION_FILE_ERROR] functions/broken.ts:3: SyntaxError: Unexpected ;")
    assert server.request("POST", "/api/fn/ping", {}) == (200, "pong")

    replace_file(
        server.app / "functions" / "broken.ts", '\nimport stripe from "stripe";\nexport default stripe;\n'
    )
    server.await_log("error[FUNCTION_FILE_ERROR] functions/broken.ts:2: Cannot find package 'stripe'")
    assert server.request("POST", "/api/fn/ping", {}) == (200, "pong")

    replace_file(server.app / "functions" / "broken.ts", '\n\n\nthrow new Error("no key");\n')
    server.await_log("error[FUNCTION_FILE_ERROR] functions/broken.ts:4: Error: no key")
