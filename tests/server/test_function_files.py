"""``pylon dev`` tells what is wrong with function files in TypeScript, and where; the others go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import Server, notes_app, replace_file, returning, serving, write_app


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


def test_a_file_that_keeps_the_functions_from_starting_is_named(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", functions={"ping": returning("pong")})
    with serving(app) as server:
        assert server.request("POST", "/api/fn/ping", {}) == (200, "pong")
        (app / "functions" / "exits.ts").write_text("process.exit(3);\n")

        server.await_log("error[RUNNER_NOT_STARTED] The changed functions did not start.")
        server.await_log("hint: Changed since they last did: functions/exits.ts.")
        assert server.request("POST", "/api/fn/ping", {}) == (200, "pong")


def test_an_internal_function_that_the_manifest_declares_is_warned_of(tmp_path: Path) -> None:
    document = notes_app(actions=[{"name": "sweep"}])
    sweep = "export default mutation({ internal: true, handler: () => 1 });\n"
    app = write_app(tmp_path / "app", document, functions={"sweep": sweep})
    with serving(app) as server:
        server.await_log(
            'warning[INTERNAL_FUNCTION_DECLARED] The manifest declares the action "sweep", and the function'
        )
