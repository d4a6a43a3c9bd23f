"""What a server allows of its functions: how often, how long, and what they see; and who may look at them."""

import json
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError

import pytest

from tests.server.rig import ADMIN_TOKEN, Server, returning, serving, write_app
from tests.support.waiting import until

CALLS_MAX = 3
WINDOW_S = 30

TYPESCRIPT = {
    "ping": returning("pong"),
    "other": returning("other"),
    "see": "export default query({ handler: (ctx) => ({ ...ctx.env, ...process.env }) });",
    "hook": """export default action({ handler: async (ctx) => {
      for (let n = 0; n < 9; n++) await ctx.runQuery("ping");
    } });""",
    "never": "export default query({ handler: () => new Promise(() => {}) });",
    "die": "export default action({ handler: () => process.exit(1) });",
}
PYTHON = """
import os
from pylon_functions import query

@query
def see_in_python(ctx):
    return {**ctx.env, **os.environ}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), functions=TYPESCRIPT)
    (folder / "functions" / "seeing.py").write_text(PYTHON)
    (folder / ".env").write_text("SITE_URL=from-file\nFROM_FILE=hidden\nPYLON_S3_SECRET_KEY=hidden\n")
    env = {
        "PYLON_ADMIN_TOKEN": ADMIN_TOKEN,
        "PYLON_FN_RATE_LIMIT_MAX": str(CALLS_MAX),
        "PYLON_FN_RATE_LIMIT_WINDOW": str(WINDOW_S),
        "PYLON_FN_CALL_TIMEOUT": "0.5",
        "PYLON_FN_ENV": "SITE_URL, STRIPE_*, PYLON_S3_SECRET_KEY",
        "STRIPE_KEY": "sk",
        "OTHER": "hidden",
    }
    with serving(folder, env=env) as running:
        until(lambda: {"ping", "see_in_python"} <= names(running), "the functions")
        yield running
        assert "Traceback" not in running.log_text()


def names(server: Server) -> set[str]:
    return {function["name"] for function in server.request("GET", "/api/fn", token=ADMIN_TOKEN)[1]}


def test_each_user_may_call_each_function_so_often(server: Server) -> None:
    ann, bob = server.guest()[0], server.guest()[0]

    statuses = [server.request("POST", "/api/fn/ping", token=ann)[0] for _ in range(CALLS_MAX + 1)]

    assert statuses == [200] * CALLS_MAX + [429]
    assert server.request("POST", "/api/fn/other", token=ann)[0] == 200
    assert server.request("POST", "/api/fn/ping", token=bob)[0] == 200


@pytest.mark.parametrize("path", ["/api/fn/other", "/api/webhooks/hook"])
def test_who_is_refused_learns_when_to_come_again(server: Server, path: str) -> None:
    headers = {"Accept": "text/event-stream"}
    with pytest.raises(HTTPError) as refused:
        for _ in range(CALLS_MAX + 1):
            urllib.request.urlopen(urllib.request.Request(server.url + path, b"", headers), timeout=20).read()

    error = json.load(refused.value)["error"]
    refused.value.close()
    assert (refused.value.code, error["code"]) == (429, "RATE_LIMITED")
    assert 1 <= error["retry_after_secs"] <= WINDOW_S
    assert refused.value.headers["Retry-After"] == str(error["retry_after_secs"])


@pytest.mark.parametrize("name", ["see", "see_in_python"])
def test_functions_see_what_they_may(server: Server, name: str) -> None:
    seen = server.call(name, token=server.guest()[0])

    assert (seen["SITE_URL"], seen["STRIPE_KEY"]) == ("from-file", "sk")
    assert "PATH" in seen
    assert not {"OTHER", "FROM_FILE", "PYLON_ADMIN_TOKEN", "PYLON_S3_SECRET_KEY", "PYLON_PORT"} & seen.keys()


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("nope", {}, 404, "FN_NOT_FOUND"),
        ("never", {}, 504, "FN_TIMEOUT"),
        ("die", {}, 502, "RUNNER_EXITED"),
    ],
)
def test_what_the_server_is_to_blame_for_has_a_status_of_its_own(
    server: Server, name: str, body: object, status: int, code: str
) -> None:
    answered, answer = server.request("POST", f"/api/fn/{name}", body, token=server.guest()[0])

    assert (answered, answer["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/api/fn", "/api/fn/traces"])
def test_only_the_administrator_looks_at_functions(server: Server, path: str) -> None:
    for token in (None, server.guest()[0]):
        assert server.request("GET", path, token=token)[0] == 403
    assert server.request("GET", path, token=ADMIN_TOKEN)[0] == 200


def test_traces_tell_of_the_last_calls_first(server: Server) -> None:
    token, user_id = server.guest()
    server.call("ping", token=token)
    server.call("other", token=token)

    status, traces = server.request("GET", "/api/fn/traces?limit=2", token=ADMIN_TOKEN)

    assert status == 200
    assert [(trace["fn_name"], trace["user_id"]) for trace in traces] == [("other", user_id), ("ping", user_id)]
    assert traces[0]["outcome"]["status"] == "ok"
