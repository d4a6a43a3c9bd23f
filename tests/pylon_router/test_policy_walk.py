"""Every route of the table, for every kind of caller: the status, and exactly which rows show in the answer.

A route without a visit fails, so none can be forgotten: a new one gets a ``Visit`` for each thing it can be asked,
with what each caller may see (``tests/support/visits``). Whoever is refused leaves no trace; no secret is in any
answer but where the visit says so. What a server adds around the routes is walked in ``tests/server``.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_core import jsontext
from pylon_router import ROUTES, Route, RouteTable
from pylon_router.table import ANY_METHOD
from tests.support.policy_world import HIDDEN_NUMBER, MARK, PEOPLE, SECRET, PolicyWorld
from tests.support.visits.others import OTHERS
from tests.support.visits.reading import READING
from tests.support.visits.visit import Seen, Visit
from tests.support.visits.writing import WRITING

_MARK = re.compile(f"{MARK}([a-z-]+)")

VISITS = [*READING, *WRITING, *OTHERS]

SECOND_SPELLING = ("/api/entity/", "/api/entities/")
TABLE = RouteTable(ROUTES)


def served_by(visit: Visit) -> Route:
    """The row of the route table that answers a visit."""
    handler, _ = TABLE.find(visit.method, visit.url.partition("?")[0])
    return next(
        route
        for route in ROUTES
        if route.handler is handler
        and route.pattern == visit.pattern
        and route.method in (visit.method, ANY_METHOD)
    )


def test_every_route_is_visited() -> None:
    visited = {(route.method, route.pattern) for route in map(served_by, VISITS)}

    served = {(route.method, route.pattern.replace(*SECOND_SPELLING)) for route in ROUTES}
    assert served - visited == set(), "give these routes visits in tests/support/visits"


class Worlds:
    """The same world for every test that leaves it as it was, and a new one after any other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._world: PolicyWorld | None = None
        self._files: dict[str, str] = {}
        self._head = 0

    def current(self) -> tuple[PolicyWorld, dict[str, str]]:
        """And the ids of Alice's files in it."""
        if self._world is None:
            self._world = world = PolicyWorld(self._folder)
            self._head = world.store.head()
            self._files = {
                name: world.upload(f"{MARK}name-{name}", f"{MARK}file-{name}", "alice", private=name == "private")
                for name in ("open", "private")
            }
        return self._world, self._files

    def is_as_it_was(self) -> bool:
        world, files = self.current()
        stored = [file.id for file in world.files.page(None, None, 100)]
        return world.store.head() == self._head and stored == sorted(files.values())

    def leave(self) -> None:
        if self._world is not None:
            self._world.close()
        self._world = None


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    made = Worlds(tmp_path_factory.mktemp("files"))
    yield made
    made.leave()


def marks_in(answer: bytes) -> frozenset[str]:
    return frozenset(_MARK.findall(answer.decode()))


@pytest.mark.parametrize("visit", VISITS, ids=[visit.name for visit in VISITS])
@pytest.mark.parametrize("name", PEOPLE)
def test_each_caller_sees_what_is_theirs_and_nothing_else(worlds: Worlds, visit: Visit, name: str) -> None:
    world, files = worlds.current()

    answer = world.send(visit.method, visit.url.format(**files), PEOPLE[name], visit.body)

    unchanged = worlds.is_as_it_was()
    if not unchanged:
        worlds.leave()
    shown = answer.body + repr(answer.headers).encode()
    assert Seen(answer.status, marks_in(shown)) == visit.sees[name], shown.decode()[:500]
    assert unchanged or answer.status < 400
    if name not in visit.secrets_to:
        assert [word for word in (SECRET, str(HIDDEN_NUMBER)) if word in without_request(shown, visit)] == []


def without_request(shown: bytes, visit: Visit) -> str:
    """What the answer says that the request did not."""
    text = shown.decode()
    sent = visit.url + jsontext.encode(None if isinstance(visit.body, bytes) else visit.body).decode()
    for word in re.findall(f"{SECRET}[a-z-]+|{HIDDEN_NUMBER}", sent):
        text = text.replace(word, "")
    return text


def test_the_second_spelling_of_the_entity_routes_is_served_by_the_same_handlers() -> None:
    handlers = {(route.method, route.pattern): route.handler for route in ROUTES}

    for (method, pattern), handler in handlers.items():
        assert handlers[method, pattern.replace(*SECOND_SPELLING)] is handler


@pytest.mark.parametrize("path", ["/api/manifest", "/api/openapi.json"])
@pytest.mark.parametrize("name", PEOPLE)
def test_the_descriptions_of_the_app_hold_no_rule(worlds: Worlds, path: str, name: str) -> None:
    world, _ = worlds.current()
    text = world.send("GET", path, PEOPLE[name]).body.decode()

    assert "auth.userId" not in text
    assert "tenantId ==" not in text
