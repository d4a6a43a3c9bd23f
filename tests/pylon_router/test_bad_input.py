"""Whatever is sent to whichever route, on either engine: a clear refusal or an answer, never a failure of the
server's, and never a word of the database's own."""

import itertools
import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_functions.invocation import Invocation, Origin
from pylon_functions.registry import FunctionDefinition
from pylon_http import Response
from pylon_http.workflows import WorkflowDefinition, WorkflowInstance
from pylon_router import ROUTES, Caller, Route, route
from pylon_runtime.jobs import Task
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_storage.workflows import SqlWorkflowStore
from tests.strategies.documents import app, entity, field
from tests.support.data_api import IDENTITIES, OWNED, DataApi, optional, rules
from tests.support.engines import ENGINES
from tests.support.job_stores import EVERY_MINUTE, background_jobs

DOCUMENT = app(
    entities=[
        entity(
            "Note",
            fields=[
                optional("ownerId"),
                field("title"),
                optional("done", "bool"),
                optional("rank", "int"),
                optional("score", "float"),
                optional("at", "datetime"),
                optional("slug", unique=True),
                optional("author", "id(User)"),
            ],
            relations=[{"name": "writer", "target": "User", "field": "author"}],
            search={"text": ["title"], "facets": ["done", "rank"], "sortable": ["at", "score"]},
        ),
        entity("Open", fields=[field("title"), optional("done", "bool")], crdt=False),
        entity(
            "User",
            fields=[field("email", unique=True), optional("_flags"), optional("phone")],
            relations=[{"name": "notes", "target": "Note", "field": "author", "many": True}],
        ),
    ],
    policies=[rules("Note", allow=OWNED), rules("Open", allow="true"), rules("User", allow="true")],
    auth={"user": {"entity": "User", "hide": ["phone"]}},
)

NAMES = st.sampled_from(
    re.findall(
        r"\S+", "Note Open User id title rank done score at slug ownerId author writer notes phone _flags *"
    )
)
HOSTILE = st.sampled_from(
    [
        "'; DROP TABLE Note; --",
        '" OR 1=1 --',
        "\0",
        "a\0b",
        "%",
        "_",
        "\\",
        "$1",
        "?",
        "%s",
        "NaN",
        "Infinity",
        "-1",
        "9" * 40,
        "2026-05-02T22:22:53Z",
        "2026-13-40T99:99:99Z",
        "0001-01-01T00:00:00+14:00",
        '"unbalanced',
        "-",
        "*",
        "a AND (b OR",
        "é́",
        "字",
        "\U0001f600",
        "x" * 300,
        "id",
        "cursor",
        "",
    ]
)
TEXTS = NAMES | HOSTILE | st.text(max_size=8)
NUMBERS = st.sampled_from(
    [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.5, 1e308, -0.0, 5e-324]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
OPERATORS = st.sampled_from(["$gt", "$gte", "$lt", "$lte", "$not", "$in", "$like", "$exists", "$order"])
MEMBERS = st.sampled_from(
    re.findall(
        r"\S+",
        "where include limit groupBy count sum avg min max countDistinct field bucket day $order desc $limit"
        " $offset $or $and $search query filters facets sort page page_size op insert update delete entity data"
        " operations entities relation target_id changes row_id kind op_id client_id name payload queue unique_key"
        " run_at delay_ms max_retries input event buffer",
    )
)
KEYS = MEMBERS | OPERATORS | NAMES | HOSTILE
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OPERANDS = SCALARS | st.lists(SCALARS, max_size=3)
FILTERS = st.dictionaries(NAMES, SCALARS | st.dictionaries(OPERATORS, OPERANDS), max_size=3)
ROWS = st.dictionaries(NAMES, SCALARS)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["insert", "update", "delete", "upsert"]), "entity": NAMES},
        optional={"id": TEXTS, "data": ROWS},
    ),
    max_size=3,
)
SHAPED = st.one_of(
    FILTERS,
    st.dictionaries(
        NAMES, st.fixed_dictionaries({}, optional={"where": FILTERS, "include": VALUES, "limit": SCALARS})
    ),
    st.fixed_dictionaries(
        {"count": st.just("*")},
        optional={"groupBy": st.lists(NAMES), "sum": st.lists(NAMES), "max": st.lists(NAMES), "where": FILTERS},
    ),
    st.fixed_dictionaries(
        {"query": TEXTS}, optional={"filters": FILTERS, "facets": st.lists(NAMES), "sort": VALUES}
    ),
    st.fixed_dictionaries({"operations": OPERATIONS}),
    OPERATIONS,
    st.fixed_dictionaries(
        {"name": TEXTS},
        optional={
            "payload": VALUES,
            "queue": TEXTS,
            "unique_key": TEXTS,
            "run_at": SCALARS,
            "delay_ms": SCALARS,
            "max_retries": SCALARS,
            "input": VALUES,
        },
    ),
    st.fixed_dictionaries({"event": TEXTS}, optional={"data": VALUES, "buffer": st.booleans()}),
    st.fixed_dictionaries(
        {"entities": st.dictionaries(NAMES, st.lists(st.dictionaries(NAMES, SCALARS), max_size=3))}
    ),
    st.fixed_dictionaries(
        {
            "changes": st.lists(
                st.fixed_dictionaries(
                    {"entity": NAMES, "row_id": TEXTS, "kind": st.sampled_from(["insert", "update", "delete"])},
                    optional={"data": st.dictionaries(NAMES, SCALARS), "op_id": TEXTS},
                ),
                max_size=3,
            )
        }
    ),
)
BODIES = (SHAPED | VALUES).map(jsontext.encode) | st.binary(max_size=30)
PARAMETERS = st.sampled_from(["limit", "offset", "after", "since", "total", "full", "status", "queue"])
QUERIES = st.just("") | st.lists(st.tuples(PARAMETERS, TEXTS | NUMBERS.map(str)), max_size=3).map(
    lambda pairs: "?" + "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs)
)
REQUESTED = st.sampled_from([part for part in ROUTES if not part.pattern.startswith("/api/auth")])

CALLERS = ["alice", "admin", "anonymous"]

OF_THE_DATABASE = re.compile(
    rb"sqlite|psycopg|postgres|syntax error|traceback|select .* from|insert into|does not exist|violates|_pylon_",
    re.IGNORECASE,
)


class NoFunctions:
    """Jobs are kept here, and none runs."""

    def definitions(self) -> list[FunctionDefinition]:
        return []

    def find(self, name: str, *, origin: Origin) -> FunctionDefinition:
        raise AssertionError(f"{name} {origin}")

    def run(self, invocation: Invocation) -> msgspec.Raw:
        raise AssertionError(invocation.name)


class OneWorkflow:
    def definitions(self) -> list[WorkflowDefinition]:
        return [WorkflowDefinition("Note")]

    def find(self, name: str) -> WorkflowDefinition | None:
        return WorkflowDefinition(name) if name == "Note" else None

    def make_pass(self, instance: WorkflowInstance, timeout_s: float) -> Any:
        raise AssertionError(f"{instance.name} {timeout_s}")


class PassingClock(SystemClock):
    """A second goes by at each look, so nobody waits for what never comes."""

    def __init__(self) -> None:
        self._looks = itertools.count()

    def monotonic(self) -> float:
        return float(next(self._looks))


@pytest.fixture(scope="module", params=list(ENGINES))
def api(request: pytest.FixtureRequest) -> Iterator[DataApi]:
    data_api = DataApi(DOCUMENT, engine=request.param)
    for number in range(3):
        data_api.add("Note", f"n{number}", ownerId="alice", title="tea", rank=number, score=number / 2)
    clock = SystemClock()
    nobody = NoFunctions()
    tasks = (Task("tick", EVERY_MINUTE, "work"),)
    jobs = background_jobs(data_api.store.tables, nobody, clock, tasks)
    instances = SqlWorkflowStore(data_api.store.tables, clock)
    engine = WorkflowEngine(
        instances, (OneWorkflow(),), PassingClock(), secrets.token_bytes, pause=lambda _s: None
    )
    data_api.reconfigure(jobs=jobs, workflows=engine)
    yield data_api
    data_api.store.close()


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    data=st.data(),
    asked=REQUESTED,
    who=st.sampled_from(["alice", "admin", "anonymous"]),
    body=BODIES,
    query=QUERIES,
)
def test_nothing_sent_makes_the_server_fail_or_lets_the_database_speak(
    api: DataApi, data: st.DataObject, asked: Route, who: str, body: bytes, query: str
) -> None:
    path = "/".join(_segment(part, data) for part in asked.pattern.split("/"))
    method = "DELETE" if asked.method == "*" else asked.method

    response = route(api.ctx, method, path + query, body, Caller(IDENTITIES[who]))

    assert response.status < 500 or _needs_a_server(asked, response), (method, path + query, body, response)
    if response.status >= 400:
        _assert_envelope(response)


def _segment(part: str, data: st.DataObject) -> str:
    if not part.startswith("<"):
        return part
    return quote(data.draw(st.sampled_from(["Note", "Open", "n1", "title", "rank"]) | TEXTS), safe="")


_OF_A_SERVER = tuple(f"/api/{part}" for part in ("files", "fn", "__test__", "webhooks"))
"""What a router alone cannot do."""


def _needs_a_server(asked: Route, response: Response) -> bool:
    return response.status in (501, 503) and asked.pattern.startswith(_OF_A_SERVER)


def _assert_envelope(response: Response) -> None:
    body: Any = jsontext.decode(response.body)
    if "committed" not in body:
        assert re.fullmatch("[A-Z0-9_]+", body["error"]["code"])
        assert body["error"]["message"]
    assert not OF_THE_DATABASE.search(response.body), response.body
