"""Types as validators: what is said of a type holds for every value of it."""

import dataclasses
import enum
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pytest

from pylon_functions.python.arguments import row_id
from pylon_functions.python.descriptions import given, taken
from tests.pylon_functions.python.child import PythonChild


class Node(msgspec.Struct):
    name: str
    children: list["Node"] = []
    mark: int | msgspec.UnsetType = msgspec.UNSET


class Sparse(msgspec.Struct, omit_defaults=True, rename="camel"):
    row_count: int
    last_note: str | None = None


class Paid(msgspec.Struct, tag="paid"):
    amount: Decimal


class Packed(msgspec.Struct, array_like=True):
    a: int


@dataclasses.dataclass
class Lot:
    title: str
    bids: int = 0
    computed: int = dataclasses.field(init=False, default=0)


class Page(TypedDict):
    rows: list[Lot]
    cursor: NotRequired[str]


class Pair(NamedTuple):
    key: str
    value: int


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Right(enum.IntFlag):
    READ = 1
    WRITE = 2


STRING, INT, NULL, ANY = ({"type": name} for name in ("string", "int", "null", "any"))
OPTIONAL_INT = {"type": "int", "optional": True}
LOT = {"type": "object", "fields": {"title": STRING, "bids": INT, "computed": OPTIONAL_INT}}


def union(*variants: dict[str, Any]) -> dict[str, Any]:
    return {"type": "union", "variants": list(variants)}


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value}


GIVEN: list[tuple[Any, dict[str, Any]]] = [
    *((text, STRING) for text in (str, bytes, bytearray, datetime, date, timedelta, UUID, Decimal)),
    (bool, {"type": "boolean"}),
    (float, {"type": "number"}),
    (type(None), NULL),
    (int | None, union(INT, NULL)),
    (Annotated[str, row_id("Lot")], {"type": "id", "table": "Lot"}),
    (list[int], array(INT)),
    (set[int], array(INT)),
    (tuple[int, ...], array(INT)),
    (tuple[int, str], array(union(INT, STRING))),
    (Pair, array(union(STRING, INT))),
    (dict[str, int], {"type": "record", "values": INT}),
    (dict[int, list[str]], {"type": "record", "values": array(STRING)}),
    (dict, {"type": "record", "values": ANY}),
    (Literal["b", "a"], union(literal("a"), literal("b"))),
    (Literal[1, None], union(literal(None), literal(1))),
    (Colour, union(literal("red"), literal("blue"))),
    (Right, INT),
    (Lot, LOT),
    (Page, {"type": "object", "fields": {"cursor": {**STRING, "optional": True}, "rows": array(LOT)}}),
    (Node, {"type": "object", "fields": {"name": STRING, "children": array(ANY), "mark": OPTIONAL_INT}}),
    (
        Sparse,
        {"type": "object", "fields": {"rowCount": INT, "lastNote": {**union(STRING, NULL), "optional": True}}},
    ),
    (Paid, {"type": "object", "fields": {"type": literal("paid"), "amount": STRING}}),
    (Packed, ANY),
    (
        Lot | Paid | None,
        union(LOT, {"type": "object", "fields": {"type": literal("paid"), "amount": STRING}}, NULL),
    ),
    (Any, ANY),
    (object, ANY),
    (complex, ANY),
]


@pytest.mark.parametrize(("hint", "validator"), GIVEN, ids=lambda case: str(case)[:40])
def test_what_a_function_gives(hint: Any, validator: dict[str, Any]) -> None:
    assert given(hint) == validator


VALUES: list[tuple[Any, Any, Any]] = [
    (Lot, Lot("a"), {"title": "a", "bids": 0}),
    (Node, Node("a"), {"name": "a", "children": []}),
    (Sparse, Sparse(1), {"rowCount": 1}),
    (Paid, Paid(Decimal("1.10")), {"type": "paid", "amount": "1.10"}),
    (Pair, Pair("a", 1), ["a", 1]),
    (Right, Right.READ | Right.WRITE, 3),
    (dict[int, int], {1: 2}, {"1": 2}),
    (Packed, Packed(1), [1]),
]


@pytest.mark.parametrize(("hint", "value", "sent"), VALUES, ids=lambda case: str(case)[:40])
def test_values_are_sent_as_it_is_said(hint: Any, value: Any, sent: Any) -> None:
    assert json.loads(msgspec.json.encode(value)) == sent
    if isinstance(sent, dict) and (fields := given(hint).get("fields")) is not None:
        assert {name for name, field in fields.items() if not field.get("optional")} <= set(sent) <= set(fields)


def test_what_a_function_takes_may_lack_what_has_a_default_and_be_a_number_for_a_decimal() -> None:
    arguments = msgspec.defstruct("Arguments", [("lot", Lot), ("price", Decimal), ("paid", Paid), ("node", Node)])

    described = taken(arguments)

    assert described["lot"]["fields"] == {"title": STRING, "bids": OPTIONAL_INT, "computed": OPTIONAL_INT}
    assert described["price"] == ANY
    assert described["paid"]["fields"]["type"] == {**literal("paid"), "optional": True}
    assert described["node"]["fields"]["children"] == {**array(ANY), "optional": True}


RETURNING = """
from __future__ import annotations
from typing import TYPE_CHECKING, NoReturn
import msgspec
if TYPE_CHECKING:
    from nowhere import Nothing
class Tree(msgspec.Struct):
    kids: list[Tree]
@query
def said(ctx, tree: Tree | None = None) -> dict[str, int | None]: return {}
@query
def unsaid(ctx): return 1
@query
def anything(ctx) -> object: return 1
@query
def unknown(ctx) -> Nothing: return 1
@query
def never(ctx) -> NoReturn: raise ValueError
@query
def broken(ctx) -> "1 / 0": return 1
@mutation
def nothing(ctx) -> None: ...
"""


def test_functions_announce_what_their_annotations_say(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    header = "from pylon_functions import mutation, query\n"
    (tmp_path / "functions" / "shop.py").write_text(
        RETURNING.replace("import msgspec", header + "import msgspec", 1)
    )

    with PythonChild(tmp_path) as child:
        assert child.ready["problems"] == []
        announced = {entry["name"]: entry.get("returns") for entry in child.ready["functions"]}

    assert announced == {
        "said": {"type": "record", "values": union(INT, NULL)},
        "nothing": NULL,
        **dict.fromkeys(("unsaid", "anything", "unknown", "never", "broken")),
    }
