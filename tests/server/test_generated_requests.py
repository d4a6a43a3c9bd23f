"""Requests nobody would write by hand, made from the route tables: never a failure of the server.

Hypothesis prints the request that breaks this; PYLON_FUZZ_EXAMPLES makes it try more of them.
"""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core.manifest import parse_manifest
from pylon_router.route import ROUTES
from tests.server.rig import Server, notes_app

EXAMPLES = int(os.environ.get("PYLON_FUZZ_EXAMPLES", "400"))
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]

MANIFEST = parse_manifest(json.dumps(notes_app()))
PATTERNS = sorted({route.pattern for route in ROUTES if route.pattern != "/api/auth/session"})
NAMES = [entity.name for entity in MANIFEST.entities] + ["ping", "cursor", "none"]
FIELDS = sorted({field.name for entity in MANIFEST.entities for field in entity.fields} | {"id"})
WORDS = [
    *FIELDS,
    *(
        "entity",
        "row_id",
        "kind",
        "data",
        "op_id",
        "changes",
        "client_id",
        "user_id",
        "insert",
        "update",
        "delete",
    ),
    *("$limit", "$offset", "$order", "$not", "$gt", "$gte", "$lt", "$lte", "$like", "$in", "asc", "desc"),
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(WORDS + NAMES)
numbers = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**400, 1e308, -0.0])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)
rows = st.dictionaries(st.sampled_from(WORDS), json_values, max_size=6)
pushes = st.fixed_dictionaries(
    {
        "changes": st.lists(
            st.fixed_dictionaries(
                {
                    "entity": st.sampled_from(NAMES),
                    "row_id": texts,
                    "kind": st.sampled_from(["insert", "update", "delete", "upsert"]),
                },
                optional={"data": rows | st.none(), "op_id": texts | st.none()},
            ),
            max_size=4,
        )
    },
    optional={"client_id": texts},
)
bodies = (
    st.builds(lambda value: json.dumps(value).encode(), json_values | rows | pushes)
    | st.binary(max_size=60)
    | st.just(b"")
)
segments = st.sampled_from(NAMES) | st.builds(quote, texts) | st.text("%0aAf./\\;:@&=+$,~!*'()", max_size=12)
queries = st.sampled_from(["", "?"]) | st.builds(
    lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs),
    st.lists(
        st.tuples(st.sampled_from(["limit", "offset", "after", "since", "full", "x"]), segments | st.integers()),
        max_size=3,
    ),
)


@st.composite
def targets(draw: st.DrawFn) -> str:
    """A route with its placeholders filled in, mostly; now and then any path at all."""
    if draw(st.integers(0, 9)) == 0:
        return "/" + "/".join(draw(st.lists(segments, max_size=5))) + draw(queries)
    parts = draw(st.sampled_from(PATTERNS)).split("/")
    filled = [draw(segments) if part.startswith("<") else part for part in parts]
    return "/".join(filled) + draw(queries)


class Caller:
    """A signed-in client with one connection, made anew when the server closes it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        self.token, _ = server.guest()

    def send(self, method: str, target: str, body: bytes, *, signed_in: bool) -> tuple[int, bytes, str]:
        headers = {"Authorization": f"Bearer {self.token}"} if signed_in else {}
        connection = self._connection
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
        except http.client.InvalidURL:
            return 400, b"", ""
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        with suppress(BrokenPipeError, ConnectionResetError):  # the answer tells why
            connection.endheaders(body)
        response = connection.getresponse()
        raw = response.read()
        if response.will_close:
            connection.close()
        return response.status, raw, response.headers.get("Content-Type", "")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def caller(shared: Server) -> Iterator[Caller]:
    caller = Caller(shared)
    yield caller
    caller.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET)
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE"]),
    target=targets(),
    body=bodies,
    signed_in=st.booleans(),
)
def test_no_request_is_a_failure_of_the_server(
    caller: Caller, method: str, target: str, body: bytes, signed_in: bool
) -> None:
    status, raw, kind = caller.send(method, target, body, signed_in=signed_in)

    assert status < 500
    if status >= 400 and method != "HEAD" and raw:
        envelope = json.loads(raw)
        assert kind == "application/json"
        assert set(envelope) == {"error", "code", "message"}
        assert envelope["error"]["code"] == envelope["code"]
        assert envelope["error"]["message"] == envelope["message"]


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=QUIET)
@given(body=st.builds(lambda value: json.dumps(value).encode(), pushes))
def test_a_push_is_answered_change_by_change(caller: Caller, body: bytes) -> None:
    status, raw, _ = caller.send("POST", "/api/sync/push", body, signed_in=True)

    answer = json.loads(raw)
    if status == 400:
        assert answer["code"] == "INVALID_JSON"
        return
    assert status == 200
    applied = sum(result["status"] != "failed" for result in answer["results"])
    assert answer["applied"] == applied
    assert len(answer["errors"]) == len(answer["results"]) - applied <= 1
