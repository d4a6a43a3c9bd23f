"""No answer depends on what its caller may not read.

Two worlds are generated that differ only in that: in hidden rows, their number and their values, and in secret
fields. The same requests must then get the same bytes in both, whatever they are. What has to be masked is told in
SECURITY.md: the seqs of the change log count hidden changes too. That a unique value is taken cannot be kept from
who tries to take it; what is told then is pinned below.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pylon_auth import ANONYMOUS, AuthContext
from pylon_core import jsontext
from pylon_http import Response
from pylon_storage import NoFaults
from pylon_storage.postgres import PostgresStore
from tests.strategies.requests import FIELDS, OWNERS, PREFIXES, SECRETS, Asked, any_request
from tests.support.policy_world import PolicyWorld, Rows
from tests.support.postgres import POOL_DRAWS, fresh_database

pytestmark = POOL_DRAWS

ALICE = AuthContext("alice", tenant_id="acme")
CALLERS = [*[ALICE] * 7, AuthContext("carl"), AuthContext("guest_1", is_guest=True), ANONYMOUS]
"""What is hidden in the worlds is hidden from all of them."""

_SEQ = re.compile(rb'"(seq|last_seq|oldest_seq)":[0-9]+')
_COUNTER = re.compile(rb'"(0{16}[0-9a-f]{16})[0-9a-f]{8}"')
"""The end of an id the server made, which begins anywhere on Postgres."""


class StoppedClock:
    """Both worlds live at the same moment, so that ids and timestamps agree."""

    def now_ns(self) -> int:
        return 1_800_000_000_000_000_000

    def monotonic(self) -> float:
        return 0.0


# Two worlds.

HIDDEN_MEMBERS: dict[str, dict[str, Any]] = {
    "Note": {"ownerId": "bob"},
    "Comment": {"ownerId": "bob", "public": False},
    "Doc": {"tenantId": "zeta"},
    "Report": {"orgId": "zeta"},
    "Post": {"ownerId": "bob", "published": False},
    "Vault": {},
    "Drop": {"ownerId": "bob"},
}
"""What makes a row hidden from every caller here."""
VISIBLE_MEMBERS: dict[str, dict[str, Any]] = {
    "Note": {"ownerId": "alice"},
    "Comment": {"ownerId": "alice"},
    "Doc": {"tenantId": "acme"},
    "Report": {"orgId": "acme"},
    "Post": {"ownerId": "alice"},
}
"""What makes a row Alice's."""


def fields_with(entity: str, pinned: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    free = {name: st.sampled_from(pool) for name, pool in FIELDS[entity].items() if name not in pinned}
    required = {"title", "text"} & free.keys()
    optional = {name: pool if name in required else st.none() | pool for name, pool in free.items()}
    return st.fixed_dictionaries(optional).map(lambda values: {**values, **pinned})


def secrets_of(entity: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: st.none() | st.sampled_from(pool) for name, pool in SECRETS.get(entity, {}).items()}
    )


@st.composite
def visible_rows(draw: st.DrawFn) -> Rows:
    """The same in both worlds but for their secrets."""
    rows: Rows = [("User", name, {"email": f"{name}@example.com"}) for name in OWNERS[:2]]
    for entity, pinned in VISIBLE_MEMBERS.items():
        for number in range(draw(st.integers(1, 4))):
            rows.append((entity, f"{PREFIXES[entity]}{number}", draw(fields_with(entity, pinned))))
    return rows


@st.composite
def hidden_rows(draw: st.DrawFn) -> Rows:
    rows: Rows = []
    for entity, pinned in HIDDEN_MEMBERS.items():
        for number in range(5, 5 + draw(st.integers(0, 4))):
            rows.append((entity, f"{PREFIXES[entity]}{number}", draw(fields_with(entity, pinned))))
    # a row that Alice may write but not read: there in both, with other values
    rows.append(("Drop", "x0", draw(fields_with("Drop", {"ownerId": "alice"}))))
    return rows


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Rows, Rows]:
    visible = draw(visible_rows())

    def world() -> Rows:
        shown = [(entity, row_id, {**data, **draw(secrets_of(entity))}) for entity, row_id, data in visible]
        hidden = draw(hidden_rows())
        return [*hidden, *shown] if draw(st.booleans()) else [*shown, *hidden]

    return world(), world()


# The property.

OpenStore = Callable[..., Any]


def open_postgres(manifest: Any, watched: Any, clock: Any) -> PostgresStore:
    return PostgresStore(
        fresh_database(),
        manifest,
        watched=watched,
        visibility="",
        clock=clock,
        faults=NoFaults(),
        connections_max=3,
    )


@contextmanager
def world_of(rows: Rows, open_store: OpenStore | None) -> Iterator[PolicyWorld]:
    with tempfile.TemporaryDirectory() as folder:
        world = PolicyWorld(Path(folder), rows, clock=StoppedClock(), open_store=open_store)
        try:
            yield world
        finally:
            world.close()


def told(answer: Response) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    """Everything of an answer but the seqs and what the ids of new rows end in."""
    body = _COUNTER.sub(rb'"\1"', _SEQ.sub(rb'"\1":0', answer.body))
    return answer.status, body, answer.headers


def assert_nothing_is_told(
    pair: tuple[Rows, Rows], asked: list[tuple[AuthContext, Asked]], open_store: OpenStore | None = None
) -> None:
    with world_of(pair[0], open_store) as one, world_of(pair[1], open_store) as other:
        for auth, request in asked:
            answers = [told(world.send(request.method, request.url, auth, request.body)) for world in (one, other)]
            assert answers[0] == answers[1], (auth, request)
            assert answers[0][0] < 500, (auth, request, answers[0])


conversations = st.lists(st.tuples(st.sampled_from(CALLERS), any_request), min_size=20, max_size=40)
few = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=60, deadline=None, suppress_health_check=few)
@given(pair=worlds(), asked=conversations)
def test_no_answer_depends_on_what_its_caller_may_not_read(
    pair: tuple[Rows, Rows], asked: list[tuple[AuthContext, Asked]]
) -> None:
    assert_nothing_is_told(pair, asked)


@settings(max_examples=6, deadline=None, suppress_health_check=few, phases=set(Phase) - {Phase.shrink})
@given(pair=worlds(), asked=conversations)
def test_the_same_on_postgres(pair: tuple[Rows, Rows], asked: list[tuple[AuthContext, Asked]]) -> None:
    assert_nothing_is_told(pair, asked, open_postgres)


# What cannot be kept secret, and exactly how much is told.


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PolicyWorld]:
    made = PolicyWorld(tmp_path)
    yield made
    made.close()


TAKEN = {"code": "INSERT_FAILED", "message": "Note already has a row with this slug."}


def test_a_taken_unique_value_is_told_by_the_fields_name_and_nothing_else(world: PolicyWorld) -> None:
    data = {"title": "x", "ownerId": "alice", "slug": "slug-bob"}

    refused = world.send("POST", "/api/entities/Note", ALICE, data)

    assert refused.status == 409
    assert jsontext.decode(refused.body) == {"error": TAKEN, **TAKEN}
    assert refused.headers == ()


def test_an_update_tells_of_a_taken_value_alike(world: PolicyWorld) -> None:
    refused = world.send("PATCH", "/api/entities/Note/n-alice", ALICE, {"slug": "slug-bob"})

    assert refused.status == 409
    assert jsontext.decode(refused.body)["error"] == {**TAKEN, "code": "UPDATE_FAILED"}


def test_a_push_tells_of_a_taken_value_or_id_alike(world: PolicyWorld) -> None:
    def pushed(row_id: str, **data: Any) -> Any:
        change: dict[str, Any] = {"entity": "Note", "row_id": row_id, "kind": "insert"}
        change["data"] = {"title": "x", "ownerId": "alice", **data}
        answer = world.send("POST", "/api/sync/push", ALICE, {"changes": [change]})
        return jsontext.decode(answer.body)["results"]

    for row_id, data, word in (("mine", {"slug": "slug-bob"}, "slug"), ("n-bob", {}, "id")):
        error = f"insert Note: Note already has a row with this {word}."
        failed = {"op_id": None, "status": "failed", "row_id": row_id, "error": error, "code": "INSERT_FAILED"}
        assert pushed(row_id, **data) == [failed]


@pytest.mark.parametrize("caller", [AuthContext("carl"), ANONYMOUS], ids=["stranger", "anonymous"])
def test_who_may_not_write_the_row_is_told_nothing_about_values(world: PolicyWorld, caller: AuthContext) -> None:
    answers = [
        world.send("POST", "/api/entities/Note", caller, {"title": "x", "ownerId": "alice", "slug": slug})
        for slug in ("slug-bob", "free")
    ]

    assert told(answers[0]) == told(answers[1])


def test_ending_a_link_does_not_tell_where_an_unreadable_row_leads(world: PolicyWorld) -> None:
    world.send("PATCH", "/api/entities/Drop/x-alice", ALICE, {"noteId": "n-alice"})
    link = {"entity": "Drop", "id": "x-alice", "relation": "note"}

    guesses = [
        told(world.send("POST", "/api/unlink", ALICE, {**link, "target_id": target}))
        for target in ("n-bob", "n-gone", "n-alice")
    ]

    assert guesses[0] == guesses[1] == guesses[2]
    assert guesses[0][0] == 403
    assert world.send("POST", "/api/unlink", ALICE, link).status == 200


def notes_of_bob(title: str) -> Rows:
    rows: Rows = [
        ("Note", "n0", {"title": "apple apple red", "ownerId": "alice"}),
        ("Note", "n1", {"title": "red red apple", "ownerId": "alice"}),
    ]
    return [*rows, *(("Note", f"n{number}", {"title": title, "ownerId": "bob"}) for number in range(5, 11))]


@pytest.mark.parametrize(
    "request_",
    [
        Asked("POST", "/api/search/Note", {"query": "red apple"}),
        Asked("POST", "/api/query/Note", {"$search": "red apple"}),
    ],
    ids=["search", "query"],
)
def test_the_order_of_a_search_does_not_tell_which_words_hidden_rows_have(request_: Asked) -> None:
    assert_nothing_is_told((notes_of_bob("red"), notes_of_bob("apple")), [(ALICE, request_)])
