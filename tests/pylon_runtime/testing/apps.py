"""An app of Python functions on disk, for tests of what apps are tested with."""

import json
from pathlib import Path

from tests.strategies.documents import app, entity, field

FUNCTIONS = """
from pylon_functions import ActionContext, MutationContext, action, mutation

@mutation
def sell(ctx: MutationContext, title: str) -> str:
    print("selling", title)
    if ctx.auth.user_id is None:
        raise ctx.error("AUTH_REQUIRED", "Sign in first.")
    return ctx.db.insert("Lot", {"title": title, "price": 1, "ownerId": ctx.auth.user_id})

@mutation
def raise_later(ctx: MutationContext, title: str, delay_ms: int = 50) -> str:
    return ctx.scheduler.run_after(delay_ms, "raise_price", {"title": title, "times": 2})

@mutation
def raise_price(ctx: MutationContext, title: str, times: int) -> None:
    for lot in ctx.db.query("Lot", {"title": title}):
        ctx.db.update("Lot", lot["id"], {"price": lot["price"] + 1})
    if times > 1:
        ctx.scheduler.run_after(0, "raise_price", {"title": title, "times": times - 1})

@action
def tell(ctx: ActionContext, fail: bool = False) -> int:
    ctx.stream.write("a\\nb")
    ctx.stream.write_event("named", "c")
    if fail:
        raise ctx.error("SOLD_OUT", "None are left.")
    return 7
"""
MINE = "auth.userId == data.ownerId"


def write_app(folder: Path) -> Path:
    fields = [field("title"), field("price", "int"), field("ownerId")]
    policy = {"name": "mine", "entity": "Lot", "allowRead": MINE, "allowWrite": MINE}
    document = app(name="lots", entities=[entity("Lot", fields=fields, crdt=False)], policies=[policy])
    (folder / "functions").mkdir(parents=True)
    (folder / "pylon.manifest.json").write_text(json.dumps(document))
    (folder / "functions" / "lots.py").write_text(FUNCTIONS)
    return folder
