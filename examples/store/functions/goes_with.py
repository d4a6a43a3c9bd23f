"""What goes with the things in a cart: learnt from what others bought together, without telling who.

In Python, because it is arithmetic over many rows. Two products belong together by their *lift*: how much more
often they were bought in one order than chance would have it. Of a new shop nobody has bought anything yet, so a
likeness of colour, maker and room counts a little too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from math import log1p
from typing import Any, TypeAlias

from pylon_functions import QueryContext, query

Row: TypeAlias = dict[str, Any]

LINES_MAX = 5_000
"""Of the newest order lines: what sells together changes, and the work stays bounded."""
ASKED_MAX = 50


WEIGHTS = {"colour": 0.5, "maker": 0.3, "category": 0.2}


@query(name="goesWith")
def goes_with(ctx: QueryContext, products: list[str], limit: int = 4) -> list[str]:
    """Ids of products that are in stock, the best match first."""
    asked = set(products[:ASKED_MAX])
    everything = {row["id"]: row for row in ctx.db.list("Product")}
    mine = [everything[product] for product in asked if product in everything]
    bought = ctx.db.query("OrderLine", {"$order": {"boughtAt": "desc"}, "$limit": LINES_MAX})
    lifts = lifts_with(asked, orders_of(bought))

    def score(product: Row) -> float:
        return log1p(lifts[product["id"]]) + likeness(product, mine)

    others = [row for row in everything.values() if row["available"] and row["id"] not in asked]
    best = sorted(others, key=lambda row: (-score(row), -row["sold"], row["id"]))
    return [row["id"] for row in best[: max(0, limit)]]


def orders_of(lines: Iterable[Row]) -> list[set[str]]:
    """The products of each order."""
    orders: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        orders[line["orderId"]].add(line["productId"])
    return list(orders.values())


def lifts_with(asked: set[str], orders: list[set[str]]) -> defaultdict[str, float]:
    """How strongly each product is drawn to those asked about; 1 is no more than by chance."""
    sales = Counter(product for order in orders for product in order)
    together: Counter[tuple[str, str]] = Counter()
    for order in orders:
        together.update((one, other) for one in order & asked for other in order - asked)
    lifts: defaultdict[str, float] = defaultdict(float)
    for (one, other), count in together.items():
        lifts[other] += count * len(orders) / (sales[one] * sales[other])
    return lifts


def likeness(product: Row, mine: list[Row]) -> float:
    """From 0 to 1: of one colour, of one maker, for one room, but not the same thing again."""
    if not mine:
        return 0.0
    return sum(_alike(product, other) for other in mine) / len(mine)


def _alike(one: Row, other: Row) -> float:
    if one["shape"] == other["shape"]:
        return 0.0
    return sum(weight for field, weight in WEIGHTS.items() if one[field] == other[field])
