"""Workflows of every shape, for tests that interrupt them."""

from collections import Counter
from typing import Any

from pylon_functions import MutationContext, WorkflowContext, mutation, query, workflow
from pylon_functions.python.authoring import Function

_tries: Counter[str] = Counter()
"""How often a step was tried, whatever the database says of it."""


@mutation
def effect(ctx: MutationContext, of: str) -> str:
    ctx.db.insert("Effect", {"of": of})
    return of.partition(":")[2]


@mutation
def refused(ctx: MutationContext, of: str) -> str:
    ctx.db.insert("Effect", {"of": of})
    raise ctx.error("REFUSED", "not this time")


@mutation
def begin(ctx: MutationContext, name: str, own_id: str = "", fails: bool = False) -> str:
    workflow_id = ctx.workflows.start(name, {"by": "begin"}, id=own_id or None)
    ctx.workflows.send(workflow_id, "go", {"from": "begin"})
    if fails:
        raise ctx.error("REFUSED", "not this time")
    return workflow_id


@query
def now(ctx: Any) -> int:
    return 7


def act(ctx: WorkflowContext, name: str) -> Any:
    return ctx.step(name, lambda: ctx.run_mutation("effect", {"of": f"{ctx.id}:{name}"}))


@workflow("steps")
def steps(ctx: WorkflowContext) -> Any:
    first = act(ctx, "a")
    ctx.sleep("1h")
    second = act(ctx, "b")
    seven = ctx.step("look", lambda: ctx.run_query("now"))
    return [first, second, seven, act(ctx, "c")]


@workflow("waits")
def waits(ctx: WorkflowContext) -> Any:
    first = act(ctx, "a")
    event = ctx.wait_for_event("go")
    return [first, event, act(ctx, "b")]


@workflow("gives_up")
def gives_up(ctx: WorkflowContext) -> Any:
    event = ctx.wait_for_event("go", timeout="5m")
    return [event, act(ctx, "late" if event is None else "in time")]


@workflow("parent")
def parent(ctx: WorkflowContext) -> Any:
    act(ctx, "before")
    output = ctx.child("waits_a_while", {"n": 1})
    return [output, act(ctx, "after")]


@workflow("waits_a_while")
def waits_a_while(ctx: WorkflowContext) -> Any:
    act(ctx, "child")
    ctx.sleep("1m")
    return act(ctx, "grown")


@workflow("another_way")
def another_way(ctx: WorkflowContext) -> Any:
    """The first two tries of its step end otherwise than the third."""

    def pay() -> str:
        _tries[ctx.id] += 1
        if _tries[ctx.id] <= 2:
            try:
                ctx.run_mutation("refused", {"of": f"{ctx.id}:charge"})
            except Exception:
                ctx.run_mutation("effect", {"of": f"{ctx.id}:refusal"})
                raise
        ctx.run_mutation("effect", {"of": f"{ctx.id}:refusal"})
        ctx.run_mutation("effect", {"of": f"{ctx.id}:shipped"})
        return "shipped"

    return ctx.step("pay", pay)


@workflow("hopeless", max_retries=2)
def hopeless(ctx: WorkflowContext) -> Any:
    act(ctx, "a")
    ctx.step("never", lambda: ctx.run_mutation("refused", {"of": f"{ctx.id}:never"}))


@workflow("begins_another")
def begins_another(ctx: WorkflowContext) -> Any:
    def begin_one() -> str:
        workflow_id = ctx.workflows.start("waits")
        ctx.workflows.send(workflow_id, "go", 5)
        return workflow_id

    return ctx.step("begin", begin_one)


FUNCTIONS: tuple[Function[Any, ..., Any], ...] = (
    effect,
    refused,
    begin,
    now,
    steps,
    waits,
    gives_up,
    parent,
    waits_a_while,
    another_way,
    hopeless,
    begins_another,
)
