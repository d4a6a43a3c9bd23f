"""Functions in Python are type checked as strictly as their authors want: by mypy, in a file as an app has it."""

import re
import subprocess
import sys
from pathlib import Path

APP = """\
from datetime import timedelta
from typing import Annotated

from pylon_functions import (
    ActionContext,
    FunctionError,
    MutationContext,
    QueryContext,
    WorkflowContext,
    action,
    mutation,
    query,
    row_id,
    workflow,
)


@query
def lot_price(ctx: QueryContext, lot: Annotated[str, row_id("Lot")], currency: str = "EUR") -> float | None:
    row = ctx.db.get("Lot", lot)
    return None if row is None else float(row["price"])


@query(name="lotsOf")
def lots_of(ctx: QueryContext) -> list[str]:
    return [row["id"] for row in ctx.as_user().query("Lot", {"ownerId": ctx.auth.user_id})]


@mutation
def place_bid(ctx: MutationContext, lot: str, amount: int) -> str:
    if ctx.auth.user_id is None:
        raise ctx.error("AUTH_REQUIRED", "Sign in first.")
    ctx.scheduler.run_after(timedelta(minutes=5), "close", {"lot": lot})
    return ctx.db.insert("Bid", {"lot": lot, "amount": amount})


@action
def pay(ctx: ActionContext, bid: str) -> bool:
    ctx.stream.write("paying")
    try:
        ctx.run_mutation("markPaid", {"bid": bid})
    except FunctionError as error:
        return error.code == "ALREADY_PAID"
    return True


@workflow("order", max_retries=1)
def order(ctx: WorkflowContext) -> int:
    price: int = ctx.step("price", lambda: 3)
    ctx.sleep("1h")
    return price


def calls_them(query_ctx: QueryContext, mutation_ctx: MutationContext) -> None:
    price: float | None = lot_price(query_ctx, "1", currency="USD")
    bid: str = place_bid(mutation_ctx, lot="1", amount=2)
    print(price, bid, lots_of(query_ctx)[0].upper())
"""
WRONG = """\
from pylon_functions import ActionContext, MutationContext, QueryContext, action, mutation, query
from app import place_bid


@query
def writes(ctx: QueryContext) -> None:
    ctx.db.insert("Lot", {})  # E: attr-defined


@action
def reads(ctx: ActionContext) -> object:
    return ctx.db  # E: attr-defined


@mutation  # E: arg-type
def confused(ctx: ActionContext) -> None: ...


def calls(ctx: MutationContext) -> None:
    place_bid(ctx, "1", "much")  # E: arg-type
    place_bid(ctx, "1")  # E: call-arg
    price: int = place_bid(ctx, "1", 2)  # E: assignment
    print(price)
"""


def mypy(folder: Path, file: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", "", file],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return run.stdout


def test_an_app_as_it_should_be_passes_strictly(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)

    assert mypy(tmp_path, "app.py").startswith("Success")


def test_what_would_fail_in_a_call_is_found_before(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "wrong.py").write_text(WRONG)
    lines = enumerate(WRONG.splitlines(), 1)
    expected = {(number, line.partition("# E: ")[2]) for number, line in lines if "# E: " in line}

    found = re.findall(r"wrong\.py:(\d+): error: .*\[([\w-]+)\]", mypy(tmp_path, "wrong.py"))

    assert {(int(number), code) for number, code in found} == expected
