"""A server dies before or after any transaction of a workflow's life, and another goes on: every step's effect is
in the database once, and history and output are as if nothing had been. On each engine, in a time that only the
test moves; what must not be found is a boundary at which this does not hold.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pylon_http.workflows import WorkflowInstance, WorkflowStatus
from tests.support.engines import ENGINES
from tests.support.postgres import POOL_DRAWS
from tests.support.workflow_shapes import FUNCTIONS
from tests.support.workflow_world import WorkflowWorld

STRIDE = {"sqlite": 1, "postgres": 4}
"""On Postgres each fourth boundary, beginning elsewhere for each workflow."""


@dataclass(frozen=True)
class Shape:
    name: str
    output: Any
    history: tuple[str, ...]
    effects: tuple[str, ...]
    status: WorkflowStatus = WorkflowStatus.COMPLETED
    before: Callable[[WorkflowWorld, str], object] = lambda world, workflow_id: None
    """What happens when it has just been started."""


def send_go(world: WorkflowWorld, workflow_id: str) -> None:
    assert world.send(workflow_id, "go", {"n": 1})


def send_noting(world: WorkflowWorld, workflow_id: str, sent: list[bool]) -> None:
    sent.append(world.send(workflow_id, "go", {"n": 1}))


SHAPES = [
    Shape("steps", ["a", "b", 7, "c"], ("a", "b", "look", "c"), ("a", "b", "c")),
    Shape("waits", ["a", {"n": 1}, "b"], ("a", "event:go", "b"), ("a", "b"), before=send_go),
    Shape("gives_up", [None, "late"], ("event:go", "late"), ("late",)),
    Shape("gives_up", [{"n": 1}, "in time"], ("event:go", "in time"), ("in time",), before=send_go),
    Shape("parent", ["grown", "after"], ("before", "child:waits_a_while", "after"), ("after", "before")),
    Shape("another_way", "shipped", ("pay",), ("refusal", "shipped")),
    Shape("hopeless", None, ("a",), ("a",), status=WorkflowStatus.FAILED),
]
IDS = [f"{shape.name} {shape.before.__name__}" if shape.before is send_go else shape.name for shape in SHAPES]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(engine: str) -> Iterator[WorkflowWorld]:
    made = WorkflowWorld(engine, FUNCTIONS)
    yield made
    made.close()


def check(world: WorkflowWorld, shape: Shape, workflow_id: str) -> None:
    instance = world.find(workflow_id)
    assert instance.status is shape.status, instance.error
    assert json.loads(bytes(instance.output)) == shape.output
    assert history(instance) == list(shape.history)
    assert world.effects(workflow_id) == sorted(shape.effects)
    for child_id in children(world, workflow_id):
        assert world.effects(child_id) == ["child", "grown"]
    assert (world.unfinished_jobs(), world.dead_jobs()) == (0, 0)


def children(world: WorkflowWorld, workflow_id: str) -> list[str]:
    page = world.instances.page(None, None, 1000).instances
    return [instance.id for instance in page if instance.parent_id == workflow_id]


def history(instance: WorkflowInstance) -> list[str]:
    return [step.name for step in instance.steps if step.status != "Failed"]


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_a_server_that_dies_at_any_boundary_changes_nothing(
    world: WorkflowWorld, engine: str, shape: Shape
) -> None:
    boundaries = world_run(world, shape)

    for boundary in range(len(shape.name) % STRIDE[engine], boundaries, STRIDE[engine]):
        world_run(world, shape, {boundary: world.die})


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_servers_that_die_again_and_again_change_nothing(world: WorkflowWorld, shape: Shape) -> None:
    for every in (5, 7, 11):
        world_run(world, shape, dict.fromkeys(range(every, 15 * every, every), world.die))


def world_run(
    world: WorkflowWorld, shape: Shape, happenings: dict[int, Callable[[], object]] | None = None
) -> int:
    workflow_id = world.start(shape.name)
    shape.before(world, workflow_id)
    passed = world.run(happenings)
    check(world, shape, workflow_id)
    return passed


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[3]], ids=["waits", "gives_up"])
def test_an_event_that_comes_at_any_moment_is_taken_once(world: WorkflowWorld, shape: Shape) -> None:
    for boundary in range(24):
        workflow_id = world.start(shape.name)
        sent: list[bool] = []
        world.run({boundary: partial(send_noting, world, workflow_id, sent)})
        if not world.find(workflow_id).status.is_final:  # it waits, and nothing has come
            send_noting(world, workflow_id, sent)
            world.run()

        came = sent and sent[0] and "in time" in str(bytes(world.find(workflow_id).output))
        check(world, shape if came or shape.name == "waits" else SHAPES[2], workflow_id)


@pytest.mark.parametrize("name", ["steps", "waits", "gives_up", "parent", "another_way"])
def test_a_cancellation_at_any_moment_is_the_end(world: WorkflowWorld, engine: str, name: str) -> None:
    whole = next(shape for shape in SHAPES if shape.name == name)
    for boundary in range(0, 50, STRIDE[engine]):
        workflow_id = world.start(name)
        world.run({boundary: partial(world.engine.cancel, workflow_id)})

        instance = world.find(workflow_id)
        if instance.status is WorkflowStatus.WAITING:  # for an event, from before that boundary on
            world.engine.cancel(workflow_id)
            continue
        effects = world.effects(workflow_id)
        assert instance.status in (WorkflowStatus.CANCELLED, WorkflowStatus.COMPLETED)
        assert instance.status is WorkflowStatus.CANCELLED or effects == sorted(whole.effects)
        assert len(set(effects)) == len(effects)
        assert world.unfinished_jobs() == 0
    assert all(
        child.status.is_final for child in world.instances.page(None, None, 200).instances if child.parent_id
    )


def test_a_child_ends_soon_after_its_parent_was_cancelled(world: WorkflowWorld) -> None:
    workflow_id = world.start("parent")
    world.run(until_ms=world.clock.now_ms)
    child_id = str(world.find(workflow_id).waiting_for).rpartition(":")[2]

    world.engine.cancel(workflow_id)
    world.run()

    assert world.find(child_id).status is WorkflowStatus.CANCELLED
    assert world.effects(child_id) == ["child"]


def test_a_workflow_begun_in_a_step_is_begun_once(world: WorkflowWorld, engine: str) -> None:
    world.run()
    for boundary in range(0, 44, STRIDE[engine]):
        known = {instance.id for instance in world.instances.page(None, None, 1000).instances}
        workflow_id = world.start("begins_another")
        world.run({boundary: world.die})

        begun = [
            instance
            for instance in world.instances.page(None, None, 1000).instances
            if instance.id not in known and instance.id != workflow_id
        ]
        assert [instance.status for instance in begun] == [WorkflowStatus.COMPLETED]
        assert json.loads(bytes(world.find(workflow_id).output)) == begun[0].id
        assert world.effects(begun[0].id) == ["a", "b"]


def test_what_a_mutation_begins_is_begun_if_it_commits(world: WorkflowWorld, engine: str) -> None:
    for boundary in range(0, 30, STRIDE[engine]):
        workflow_id = world.call("begin", name="waits")
        world.run({boundary: world.die})

        check(world, Shape("waits", ["a", {"from": "begin"}, "b"], SHAPES[1].history, ("a", "b")), workflow_id)


def test_what_a_mutation_that_fails_begins_is_not_begun(world: WorkflowWorld) -> None:
    workflow_id = "wf_00000000deadbeef"
    with pytest.raises(Exception, match="not this time"):
        world.call("begin", name="waits", own_id=workflow_id, fails=True)
    world.run()

    assert world.engine.find(workflow_id) is None


@POOL_DRAWS
@pytest.mark.parametrize("engine_name", ENGINES)
def test_many_at_once_with_deaths_and_events_at_random(engine_name: str) -> None:
    world = WorkflowWorld(engine_name, FUNCTIONS)

    @settings(
        max_examples=40 if engine_name == "sqlite" else 12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        names=st.lists(st.sampled_from([shape.name for shape in SHAPES if shape.name != "waits"]), max_size=4),
        waiting=st.integers(1, 3),
        deaths=st.sets(st.integers(0, 150), max_size=6),
        sending=st.integers(0, 60),
    )
    def run(names: list[str], waiting: int, deaths: set[int], sending: int) -> None:
        whole = {shape.name: shape for shape in SHAPES if shape.before is not send_go or shape.name == "waits"}
        begun = [(whole[name], world.start(name)) for name in names]
        waiters = [world.start("waits") for _ in range(waiting)]

        def send_to_all() -> None:
            for workflow_id in waiters:
                world.send(workflow_id, "go", {"n": 1})

        deadly = dict.fromkeys(deaths - {sending}, world.die)
        if world.run({**deadly, sending: send_to_all}) <= sending:
            send_to_all()
        world.run()
        for shape, workflow_id in [*begun, *((whole["waits"], workflow_id) for workflow_id in waiters)]:
            check(world, shape, workflow_id)

    try:
        run()
    finally:
        world.close()
