"""Functions with names of the server's own, in real Bun and Python children: ``pylon dev`` names each, nobody can
call them, and the others go on."""

from collections.abc import Iterator

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, returning, serving, write_app

PYTHON = """
from pylon_functions import mutation, query, workflow

@query
def traces(ctx):
    return "never"

@mutation(name="pylon.clean")
def clean(ctx):
    return "never"

@workflow("pylon.flow")
def flow(ctx):
    return "never"

@query
def also(ctx):
    return "also"
"""
FLOW = """
import { workflow } from "@pylonsync/workflows";
export default workflow("pylon.tsFlow", async () => "never");
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    functions = {"ping": returning("pong"), "traces": returning("never"), "pylon.sweep": returning("never")}
    app = write_app(tmp_path_factory.mktemp("app"), functions={**functions, "flow": FLOW})
    (app / "functions" / "more.py").write_text(PYTHON)
    with serving(app, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN}) as running:
        running.await_functions("ping")
        running.await_functions("also")
        yield running


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("functions", "pylon.sweep"),
        ("functions", "pylon.clean"),
        ("functions/flow.ts", "pylon.tsFlow"),
        ("functions/more.py", "pylon.flow"),
    ],
)
def test_a_name_of_the_servers_is_told(server: Server, where: str, name: str) -> None:
    server.await_log(
        f'error[FUNCTION_FILE_ERROR] {where}: The function "{name}" is left out:'
        ' what begins with "pylon." is the server\'s own.'
    )


def test_a_name_that_another_url_has_is_told_for_each_language(server: Server) -> None:
    told = 'functions: The function "traces" is left out: "traces" is the server\'s own.'
    server.await_log(told)

    assert server.log_text().count(told) == 2


def test_only_the_others_are_there(server: Server) -> None:
    _, listed = server.request("GET", "/api/fn", token=ADMIN_TOKEN)
    _, flows = server.request("GET", "/api/workflows/definitions", token=ADMIN_TOKEN)
    _, stats = server.request("GET", "/api/jobs/stats", token=ADMIN_TOKEN)

    assert {function["name"] for function in listed} == {"ping", "also"}
    assert flows == []
    assert {name for name in stats["handlers"] if not name.startswith("pylon.workflow")} == {"ping", "also"}


@pytest.mark.parametrize("name", ["traces", "pylon.sweep", "pylon.clean", "pylon.flow"])
def test_nobody_calls_them(server: Server, name: str) -> None:
    status, answer = server.request("POST", f"/api/fn/{name}", {}, token=ADMIN_TOKEN)

    assert (status, answer["error"]["code"]) == (404, "FN_NOT_FOUND")


def test_a_workflow_of_such_a_name_does_not_begin(server: Server) -> None:
    body = {"name": "pylon.flow"}
    status, answer = server.request("POST", "/api/workflows/start", body, token=ADMIN_TOKEN)

    assert (status, answer["error"]["code"]) == (400, "WORKFLOW_START_FAILED")
