"""Functions in Python beside those in TypeScript: real processes of both, one database, one set of rules."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pylon_core.errors import PylonError
from tests.pylon_functions.bun_app import BunApp
from tests.support.waiting import until

HEADER = "from pylon_functions import action, mutation, query\n"

SALES = """
@mutation
def sell(ctx, title: str, price: int = 1) -> str:
    row_id = ctx.db.insert("Lot", {"title": title, "price": price})
    assert ctx.db.get("Lot", row_id)["title"] == title
    return row_id

@mutation
def sell_and_fail(ctx, title: str):
    ctx.db.insert("Lot", {"title": title})
    raise ctx.error("SOLD_OUT", "None are left.")

@query
def count(ctx) -> int:
    return len(ctx.db.list("Lot"))

@query
def writes(ctx):
    return ctx._database("insert", {"entity": "Lot", "data": {"title": "no"}})

@action
def through_typescript(ctx, title: str):
    return [ctx.run_mutation("sellInTypeScript", {"title": title}), ctx.run_query("count")]

@query
def spin(ctx):
    while True:
        pass

@query
def pid(ctx) -> int:
    import os
    return os.getpid()
"""
TYPESCRIPT = {
    "sellInTypeScript": """export default mutation({
      handler: (ctx, args) => ctx.db.insert("Lot", { title: args.title }) })""",
    "throughPython": """export default action({
      handler: async (ctx, args) => {
        const failed = await ctx.runMutation("sell_and_fail", { title: "x" }).catch((error) => error.code);
        return [failed, await ctx.runMutation("sell", args), await ctx.runQuery("count")];
      } })""",
}


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., BunApp]]:
    apps: list[BunApp] = []

    def make(functions: dict[str, str], **options: Any) -> BunApp:
        apps.append(BunApp(tmp_path, functions, **options))
        return apps[-1]

    yield make
    for app in apps:
        app.close()


def with_python(**typescript: str) -> dict[str, str]:
    return {"sales.py": HEADER + SALES, **typescript}


def test_a_python_mutation_is_a_transaction(make_app: Callable[..., BunApp]) -> None:
    app = make_app(with_python())

    row_id = app.call("sell", {"title": "a", "price": 3})
    failed = app.fail("sell_and_fail", {"title": "b"})

    assert [(row["id"], row["title"], row["price"]) for row in app.lots()] == [(row_id, "a", 3)]
    assert (failed.code, failed.message) == ("SOLD_OUT", "None are left.")
    assert app.call("count") == 1


def test_a_python_query_may_only_read(make_app: Callable[..., BunApp]) -> None:
    app = make_app(with_python())

    assert app.fail("writes").code == "NOT_SUPPORTED"


def test_each_language_calls_the_other(make_app: Callable[..., BunApp]) -> None:
    app = make_app(with_python(**TYPESCRIPT))

    row_id, count = app.call("through_typescript", {"title": "a"})
    failed, other_id, both = app.call("throughPython", {"title": "b"})

    assert sorted(app.titles()) == ["a", "b"]
    assert {row_id, other_id} == {row["id"] for row in app.lots()}
    assert (count, failed, both) == (1, "SOLD_OUT", 2)


def test_all_functions_are_in_one_list(make_app: Callable[..., BunApp]) -> None:
    app = make_app(with_python(**TYPESCRIPT))
    app.call("count")
    until(lambda: "throughPython" in app.runtime.registry(), "TypeScript is loaded")

    definitions = {function.name: function for function in app.host.definitions()}

    assert definitions.keys() >= {"sell", "count", "throughPython"}
    assert definitions["sell"].args_schema == {
        "title": {"type": "string"},
        "price": {"type": "int", "optional": True},
    }


def test_a_stuck_handler_is_ended_and_the_others_go_on(make_app: Callable[..., BunApp]) -> None:
    app = make_app(with_python(), timeout_s=1.5)
    before = app.call("pid")

    assert app.fail("spin").code == "FN_TIMEOUT"
    until(lambda: app.call("pid") != before, "another process serves")
    assert app.call("count") == 0


def test_python_alone_needs_no_bun(make_app: Callable[..., BunApp]) -> None:
    app = make_app(with_python(), environ={"PATH": "/nonexistent", "PYLON_BUN": "/nonexistent/bun"})

    assert app.call("count") == 0
    with pytest.raises(PylonError) as unknown:
        app.call("nope")
    assert unknown.value.code == "FN_NOT_FOUND"


def test_without_bun_a_function_that_python_has_not_may_be_one_of_typescript(
    make_app: Callable[..., BunApp],
) -> None:
    environ = {"PATH": "/nonexistent", "PYLON_BUN": "/nonexistent/bun"}
    app = make_app(with_python(**TYPESCRIPT), environ=environ)

    assert app.call("count") == 0
    assert app.fail("throughPython").code == "FUNCTIONS_NOT_AVAILABLE"


def test_a_reload_finds_new_python_files_and_forgets_removed_ones(make_app: Callable[..., BunApp]) -> None:
    app = make_app({"here": "export default query({ handler: () => 1 })"})
    assert app.fail("count").code == "FN_NOT_FOUND"

    app.write("sales.py", HEADER + SALES)
    app.runtime.reload(app.clock.monotonic() + 10)
    assert app.call("count") == 0

    (app.functions_dir / "sales.py").unlink()
    app.runtime.reload(app.clock.monotonic() + 10)
    assert app.fail("count").code == "FN_NOT_FOUND"
    assert app.call("here") == 1
