"""``ctx.asUser()``: a function reads and writes with its caller's rights, which are those of the caller's own
requests."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pylon_auth.context import AuthContext
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_http import Filter
from pylon_router import UserGuard
from tests.pylon_functions.scripted_child import Frame, ScriptedChild, ScriptedWorkers, saying
from tests.strategies.documents import app, entity, relation
from tests.support.data_api import DataApi, optional, rules
from tests.support.policy_world import HIDDEN_NUMBER, PEOPLE, SECRET, PolicyWorld
from tests.support.waiting import until

KINDS = {"q": "query", "m": "mutation"}
RETURN: Frame = {"type": "return", "value": None}
DENIED = "POLICY_DENIED"


def database(op: str, entity: str, **operands: Any) -> Frame:
    return {"type": "db", "op_id": "1", "op": op, "entity": entity, "as": "user", **operands}


def answers(ctx: Any, kind: str, who: AuthContext, *frames: Frame) -> list[Any]:
    """What a handler is answered: the data, or the code of the refusal."""
    child = ScriptedChild(saying(*frames, RETURN), **KINDS)
    workers = ScriptedWorkers(child)
    host = FunctionHost(ctx.manifest, ctx.store, workers, SystemClock(), 20.0, guard=UserGuard(ctx))
    host.run(Invocation(kind, {}, who))
    until(lambda: len(child.answers()) == len(frames), "everything was answered")
    return [answer["error"]["code"] if "error" in answer else answer["data"] for answer in child.answers()]


@pytest.fixture
def notes(api: DataApi) -> DataApi:
    """Alice's note and Bob's; a published post and one that is not; a user with secrets."""
    api.add("Note", "hers", ownerId="alice", title="hers", rank=1)
    api.add("Note", "his", ownerId="bob", title="his", rank=2, slug="his-slug")
    api.add("Post", "out", title="out", published=True)
    api.add("Post", "draft", title="draft", published=False)
    api.add("User", "u1", email="a@b.c", passwordHash="h4sh", phone="123", _flags="f")
    api.add("Todo", "t1", title="t")
    return api


@pytest.fixture
def api() -> Iterator[DataApi]:
    made = DataApi()
    yield made
    made.store.close()


def titles(rows: Any) -> Any:
    return [row["title"] for row in rows] if isinstance(rows, list) else rows


@pytest.mark.parametrize("kind", ["q", "m"])
@pytest.mark.parametrize(
    ("frame", "seen"),
    [
        (database("list", "Note"), ["hers"]),
        (database("query", "Note", data={"rank": {"$gt": 0}}), ["hers"]),
        (database("query", "Post", data={}), ["out"]),
        (database("list", "Locked"), DENIED),
        (database("list", "Nope"), "ENTITY_NOT_FOUND"),
        (database("query", "User", data={"passwordHash": "h4sh"}), "INVALID_COLUMN"),
        (database("query", "User", data={"$order": {"phone": "asc"}}), "INVALID_COLUMN"),
        (database("lookup", "User", field="_flags", value="f"), "INVALID_COLUMN"),
        (database("aggregate", "User", data={"min": ["phone"]}), "INVALID_COLUMN"),
        (database("aggregate", "Locked", data={"count": "*"}), DENIED),
        (database("search", "Locked", data={}), DENIED),
        (database("query_graph", "", data={"Locked": {}}), DENIED),
        (database("query_graph", "", data={"User": {"where": {"phone": "123"}}}), "INVALID_COLUMN"),
    ],
    ids=str,
)
def test_lists_have_readable_rows_only(notes: DataApi, kind: str, frame: Frame, seen: object) -> None:
    (answer,) = answers(notes.ctx, kind, AuthContext("alice"), frame)

    assert titles(answer) == seen


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (database("get", "Note", id="hers"), True),
        (database("get", "Note", id="his"), False),
        (database("get", "Note", id="none"), False),
        (database("get", "Post", id="draft"), False),
        (database("lookup", "Note", field="title", value="hers"), True),
        (database("lookup", "Note", field="slug", value="his-slug"), False),
    ],
    ids=str,
)
def test_a_row_that_may_not_be_read_is_not_there(notes: DataApi, frame: Frame, found: bool) -> None:
    (row,) = answers(notes.ctx, "q", AuthContext("alice"), frame)

    assert (row is not None) is found


def test_counts_and_pages_are_of_readable_rows(notes: DataApi) -> None:
    count, page, graph = answers(
        notes.ctx,
        "q",
        AuthContext("alice"),
        database("aggregate", "Note", data={"count": "*", "sum": ["rank"]}),
        database("paginate", "Note", limit=1),
        database("query_graph", "", data={"Note": {}}),
    )

    assert count == [{"count": 1, "sum_rank": 1}]
    assert (titles(page["page"]), page["isDone"]) == (["hers"], True)
    assert titles(graph["Note"]) == ["hers"]


@pytest.mark.parametrize("who", [AuthContext("alice"), PEOPLE["admin"]], ids=["user", "admin"])
def test_secret_fields_are_left_out(notes: DataApi, who: AuthContext) -> None:
    one, many, graph = answers(
        notes.ctx,
        "q",
        who,
        database("get", "User", id="u1"),
        database("list", "User"),
        database("query_graph", "", data={"User": {}}),
    )

    assert one == many[0] == graph["User"][0] == {"id": "u1", "email": "a@b.c"}


def test_the_function_itself_still_sees_everything(notes: DataApi) -> None:
    own = {key: value for key, value in database("list", "Note").items() if key != "as"}

    trusted, theirs = answers(notes.ctx, "m", AuthContext("alice"), own, database("list", "Note"))

    assert (titles(trusted), titles(theirs)) == (["hers", "his"], ["hers"])


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (database("update", "Note", id="hers", data={"title": "new"}), {"updated": True}),
        (database("update", "Note", id="his", data={"title": "new"}), DENIED),
        (database("update", "Note", id="none", data={"title": "new"}), DENIED),
        (database("update", "Note", id="hers", data={"ownerId": "bob"}), DENIED),
        (database("update", "Todo", id="none", data={"title": "new"}), {"updated": False}),
        (database("update", "User", id="u1", data={"passwordHash": "new"}), "INVALID_COLUMN"),
        (database("delete", "Note", id="hers"), {"deleted": True}),
        (database("delete", "Note", id="his"), DENIED),
        (database("delete", "Todo", id="none"), {"deleted": False}),
        (database("insert", "Note", data={"title": "x", "ownerId": "bob"}), DENIED),
        (database("insert", "Note", data={"title": "x", "ownerId": "bob", "slug": "his-slug"}), DENIED),
        (database("insert", "Locked", data={}), DENIED),
        (database("insert", "User", data={"email": "x", "_flags": "x"}), "INVALID_COLUMN"),
    ],
    ids=str,
)
def test_writes_are_those_the_caller_may_do(notes: DataApi, frame: Frame, answer: object) -> None:
    assert answers(notes.ctx, "m", AuthContext("alice"), frame) == [answer]


def test_a_refused_write_leaves_nothing_though_the_mutation_commits(notes: DataApi) -> None:
    head = notes.store.head()
    refused = [
        database("insert", "Note", data={"title": "x", "ownerId": "bob"}),
        database("update", "Note", id="hers", data={"ownerId": "bob"}),
        database("delete", "Note", id="his"),
    ]

    *codes, _ = answers(
        notes.ctx, "m", AuthContext("alice"), *refused, database("insert", "Todo", data={"title": "kept"})
    )

    assert codes == [DENIED] * 3
    assert [(event.entity, event.kind.value) for event in notes.store.changes(head, 10).events] == [
        ("Todo", "insert")
    ]


def test_a_query_may_not_write_as_its_caller_either(notes: DataApi) -> None:
    insert = database("insert", "Todo", data={"title": "x"})

    assert answers(notes.ctx, "q", AuthContext("alice"), insert) == ["NOT_SUPPORTED"]


# Against an app with every kind of rule: what a caller may not see, it does not see through a function.


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PolicyWorld]:
    made = PolicyWorld(tmp_path)
    yield made
    made.close()


ENTITIES = ("User", "Note", "Comment", "Doc", "Report")


@pytest.mark.parametrize("person", [name for name in PEOPLE if name != "admin"])
@pytest.mark.parametrize("entity", ENTITIES)
def test_a_function_shows_its_caller_what_their_own_requests_show(
    world: PolicyWorld, person: str, entity: str
) -> None:
    who = PEOPLE[person]
    own = world.send("POST", f"/api/query/{entity}", who, {})

    (shown,) = answers(world.ctx, "q", who, database("list", entity))

    assert shown == (jsontext.decode(own.body) if own.status == 200 else DENIED)
    for secret in (SECRET, str(HIDDEN_NUMBER)):
        assert secret not in str(shown)


@pytest.mark.parametrize("person", [name for name in PEOPLE if name != "admin"])
@pytest.mark.parametrize("entity", ENTITIES)
def test_a_count_is_that_of_the_callers_own_request(world: PolicyWorld, person: str, entity: str) -> None:
    who = PEOPLE[person]
    own = world.send("POST", f"/api/aggregate/{entity}", who, {"count": "*"})

    (shown,) = answers(world.ctx, "q", who, database("aggregate", entity, data={"count": "*"}))

    assert shown == (jsontext.decode(own.body)["rows"] if own.status == 200 else DENIED)


@pytest.mark.parametrize("person", [name for name in PEOPLE if name != "admin"])
@pytest.mark.parametrize(
    "graph",
    [
        {"Note": {"include": {"owner": {}, "comments": {}, "vault": {}}}},
        {"User": {"include": {"notes": {"include": {"comments": {}}}}}},
        {"Comment": {"include": {"note": {"include": {"vault": {}}}}}},
    ],
    ids=["notes", "users", "comments"],
)
def test_a_graph_is_that_of_the_callers_own_request(
    world: PolicyWorld, person: str, graph: dict[str, Any]
) -> None:
    who = PEOPLE[person]
    own = world.send("POST", "/api/query", who, graph)

    (shown,) = answers(world.ctx, "q", who, database("query_graph", "", data=graph))

    assert shown == (jsontext.decode(own.body) if own.status == 200 else DENIED)


@pytest.mark.parametrize("person", [name for name in PEOPLE if name != "admin"])
@pytest.mark.parametrize(("relation", "entity"), [("owner", "User"), ("comments", "Comment"), ("vault", "Vault")])
def test_a_link_is_made_where_the_callers_own_request_would_make_it(
    tmp_path: Path, person: str, relation: str, entity: str
) -> None:
    ours, theirs = PolicyWorld(tmp_path / "ours"), PolicyWorld(tmp_path / "theirs")
    with ours.store.read() as reader:
        notes, targets = reader.query("Note", Filter(limit=4)), reader.query(entity, Filter(limit=4))
    for note, target in product(notes, targets):
        wanted = {"id": note["id"], "relation": relation, "target_id": target["id"]}
        own = theirs.send("POST", "/api/link", PEOPLE[person], {"entity": "Note", **wanted})

        (answer,) = answers(ours.ctx, "m", PEOPLE[person], database("link", "Note", **wanted))

        assert (answer == {"linked": True}) is (own.status == 200), (wanted, answer, own)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("op", ["link", "unlink"])
def test_a_relation_over_a_secret_field_is_none_for_users(op: str) -> None:
    person = entity(
        "Person", fields=[optional("_bossId", "id(Person)")], relations=[relation("boss", "Person", "_bossId")]
    )
    api = DataApi(app(entities=[person], policies=[rules("Person", allow="true")]))
    api.store.transact(lambda tx: [tx.insert("Person", {}, row_id) for row_id in ("ann", "ben")])
    frame = database(op, "Person", id="ann", relation="boss", target_id="ben")

    assert answers(api.ctx, "m", AuthContext("alice"), frame) == ["RELATION_NOT_FOUND"]
    api.store.close()
