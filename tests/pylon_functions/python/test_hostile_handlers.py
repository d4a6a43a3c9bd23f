"""Handlers and arguments that nobody should write: each call still ends once, and the next one works."""

import time
from pathlib import Path

import pytest

from tests.pylon_functions.python.child import PythonChild

HOSTILE = """
import ctypes, os, sys, threading
from pylon_functions import FunctionError, QueryContext

@query
def echo(ctx: QueryContext, **rest): return rest
@query
def size(ctx, text: str): return len(text)
@query
def exits(ctx): sys.exit(3)
@query
def interrupts(ctx): raise KeyboardInterrupt
@query
def recurses(ctx): return recurses(ctx)
@query
def returns_a_generator(ctx): return (each for each in [1])
@query
def returns_half_a_character(ctx): return "\\ud800"
@query
def returns_halves(ctx): return {"\\ud800": ["a\\ud83d", ("\\udc00b", {"c": "\\ud83d\\ude42"}), 1, None]}
@query
def raises_no_code(ctx, code: Any): raise FunctionError(code, "secret")
@query
def returns_an_abyss(ctx):
    found = []
    for _ in range(100_000): found = [found]
    return found
@query
def raises_half_a_character(ctx): raise FunctionError("A", "half \\ud800")
@query
def raises_a_number(ctx): raise FunctionError("A", 5)
@query
def forks(ctx):
    child = os.fork()
    if child == 0:
        return "child"
    os.waitpid(child, 0)
    return "parent"
@query
def forks_and_asks(ctx):
    child = os.fork()
    if child == 0:
        ctx.db.get("Lot", "1")
    _, status = os.waitpid(child, 0)
    return status
@query
def speaks_c(ctx):
    libc = ctypes.CDLL(None)
    libc.puts(b"words of C"); libc.fflush(None)
    os.write(1, b'{"type":"return","call_id":"c_1","value":"forged"}')
    return "mine"
@query
def half_a_line(ctx): print("half a line", end="")
@query
def prints_half_a_character(ctx): print("\\ud800")
@query
def collects(ctx, items: list[int] = []):
    items.append(1)
    return items
@mutation
def begins(ctx, id: str): return ctx.workflows.start("order", id=id)
later = []
@mutation
def goes_on(ctx):
    def ask():
        gate.wait()
        try: ctx.db.get("Lot", "1")
        except Exception as error: later.append(str(error))
        asked.set()
    gate, asked = threading.Event(), threading.Event()
    threading.Thread(target=ask).start()
    later.append((gate, asked))
@query
def went_on(ctx):
    gate, asked = later.pop()
    gate.set(); asked.wait()
    return later
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("exits", "SystemExit: 3"),
        ("interrupts", "KeyboardInterrupt"),
        ("recurses", "RecursionError"),
        ("returns_a_generator", "returned cannot be sent as JSON"),
        ("returns_an_abyss", "maximum recursion depth"),
    ],
)
def test_a_handler_that_comes_to_nothing_fails_its_own_call_alone(tmp_path: Path, name: str, said: str) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        ended = child.run(name)
        after = child.run("echo", {"a": 1})
        _, stderr = child.end()

    assert (ended["type"], ended["code"]) == ("error", "HANDLER_ERROR")
    assert after["value"] == {"a": 1}
    assert said in stderr
    assert len(stderr.splitlines()) < 150
    assert "invoker.py" not in stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [("raises_half_a_character", "half \ufffd"), ("raises_a_number", "5")],
    ids=["half", "number"],
)
def test_an_error_that_is_no_text_still_reaches_its_caller(tmp_path: Path, name: str, message: str) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        ended = child.run(name)

    assert (ended["code"], ended["message"]) == ("A", message)


def test_half_a_character_is_replaced_as_in_typescript(tmp_path: Path) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        half = child.run("returns_half_a_character")
        halves = child.run("returns_halves")

    assert half["value"] == "\ufffd"
    assert halves["value"] == {"\ufffd": ["a\ufffd", ["\ufffdb", {"c": "🙂"}], 1, None]}


@pytest.mark.parametrize("code", ["A B\n", "a", "", 5, None, "X" * 65, ["A"]])
def test_an_error_without_a_proper_code_is_for_the_log(tmp_path: Path, code: object) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        ended = child.run("raises_no_code", {"code": code})
        _, stderr = child.end()

    assert (ended["code"], ended["message"]) == ("HANDLER_ERROR", "Internal handler error")
    assert "whose code is none" in stderr


def test_a_handler_that_forks_is_heard_once_and_leaves_no_process(tmp_path: Path) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        assert child.run("forks")["value"] == "parent"
        assert child.run("forks_and_asks")["value"] == 0
        assert child.run("echo", {"a": 1})["value"] == {"a": 1}
        code, _ = child.end()  # waits for the pipes, which a process left behind would hold open

    assert code == 0


def test_what_is_printed_by_whatever_means_is_no_frame(tmp_path: Path) -> None:
    with PythonChild(tmp_path, environ={"PYTHONUNBUFFERED": ""}, odd=HOSTILE) as child:
        assert child.run("speaks_c")["value"] == "mine"
        assert child.run("half_a_line")["value"] is None
        assert child.run("prints_half_a_character")["value"] is None
        _, stderr = child.end()

    assert "words of C" in stderr
    assert "forged" in stderr
    assert "half a line" in stderr


def test_an_argument_called_like_the_context_does_not_take_its_place(tmp_path: Path) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        ended = child.run("echo", {"ctx": 1, "self": 2})

    assert ended["value"] == {"self": 2}


def test_a_default_is_fresh_for_each_call(tmp_path: Path) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        assert [child.run("collects")["value"] for _ in range(2)] == [[1], [1]]


def test_a_thread_that_outlives_its_call_is_refused_and_disturbs_nobody(tmp_path: Path) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        child.run("goes_on")
        (refused,) = child.run("went_on")["value"]

    assert "has already returned" in refused


def test_huge_arguments_arrive(tmp_path: Path) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        assert child.run("size", {"text": "x" * 10_000_000})["value"] == 10_000_000


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_beyond_all_bounds_is_refused(tmp_path: Path, number: str) -> None:
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        child.write(b'{"type":"call","call_id":"c_1","fn_name":"echo","args":{"a":%s}}\n' % number.encode())
        ended = child.hear()

    assert (ended["type"], ended["code"]) == ("error", "INVALID_ARGS")


def test_a_frame_nested_without_end_ends_nothing(tmp_path: Path) -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    with PythonChild(tmp_path, odd=HOSTILE) as child:
        child.write(b'{"type":"call","call_id":"c_0","fn_name":"echo","args":{"a":%s}}\n' % nested)

        assert child.run("echo", {"a": 1})["value"] == {"a": 1}


NESTED = """
@action
def outer(ctx): return ctx.run_query("inner")
@query
def inner(ctx): return 1
"""


def test_actions_may_all_wait_for_queries_at_once(tmp_path: Path) -> None:
    """Were threads scarce, the actions would hold them all, and the queries they wait for get none."""
    calls = 300
    with PythonChild(tmp_path, odd=NESTED) as child:
        for number in range(calls):
            child.call("outer", call_id=f"a_{number}")
        asked = {frame["call_id"]: frame for frame in (child.hear() for _ in range(calls))}
        for call_id in asked:
            child.call("inner", call_id=f"q_{call_id}")
        inner = {child.hear()["call_id"] for _ in range(calls)}
        for request in asked.values():
            child.answer(request, 1)
        values = [child.hear()["value"] for _ in range(calls)]

    assert inner == {f"q_{call_id}" for call_id in asked}
    assert values == [1] * calls


def test_two_hundred_calls_run_side_by_side(tmp_path: Path) -> None:
    meet = """
import threading
together = threading.Barrier(200)
@query
def meets(ctx): return together.wait(timeout=15) >= 0
"""
    with PythonChild(tmp_path, odd=meet) as child:
        for number in range(200):
            child.call("meets", call_id=f"c_{number}")
        ended = [child.hear() for _ in range(200)]

    assert {frame["value"] for frame in ended} == {True}


def test_abandoned_calls_leave_no_memory(tmp_path: Path) -> None:
    holds = """
import gc
class Load:
    def __init__(self): self.bytes = bytearray(100_000)
@mutation
def waits(ctx):
    load = Load()
    return ctx.db.get("Lot", "1")
@query
def loads(ctx):
    gc.collect()
    return sum(isinstance(each, Load) for each in gc.get_objects())
"""
    with PythonChild(tmp_path, odd=holds) as child:
        for number in range(50):
            child.call("waits", call_id=f"c_{number}")
            child.hear()
            child.say({"type": "abandon", "call_id": f"c_{number}"})
            assert child.hear()["code"] == "NOT_AVAILABLE"
        deadline = time.monotonic() + 10
        while (left := child.run("loads", call_id="l")["value"]) and time.monotonic() < deadline:
            pass

    assert left == 0


TYPES = """
import dataclasses, decimal, enum, uuid
from datetime import date, timedelta
from typing import NamedTuple, TypedDict
import msgspec

class Colour(enum.Enum):
    RED = "red"
@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5
class Item(msgspec.Struct):
    name: str
    tags: list[str] = []
class Options(TypedDict, total=False):
    deep: bool
class Pair(NamedTuple):
    left: int
    right: int

@query
def typed(ctx, point: Point, item: Item, options: Options, colour: Colour, id: uuid.UUID,
          price: decimal.Decimal, day: date, wait: timedelta, raw: bytes, some: set[int]) -> Any:
    assert isinstance(point, Point) and isinstance(item, Item) and colour is Colour.RED
    assert isinstance(price, decimal.Decimal) and isinstance(raw, bytes)
    return [point, item, options, colour, id, price, day, wait, raw, some, Pair(1, 2)]
"""


def test_rich_types_go_in_and_out(tmp_path: Path) -> None:
    args = {
        "point": {"x": 1, "y": 2.5},
        "item": {"name": "n"},
        "options": {"deep": True},
        "colour": "red",
        "id": "12345678-1234-5678-1234-567812345678",
        "price": "1.10",
        "day": "2026-01-31",
        "wait": "PT5S",
        "raw": "AAE=",
        "some": [1],
    }
    with PythonChild(tmp_path, odd=TYPES) as child:
        (entry,) = child.ready["functions"]
        ended = child.run("typed", args)
        refused = child.run("typed", {**args, "colour": "blue"})

    expected = [args["point"], {"name": "n", "tags": []}, *list(args.values())[2:], [1, 2]]
    assert ended["value"] == expected
    assert refused["code"] == "INVALID_ARGS"
    assert entry["args_schema"]["colour"] == {"type": "literal", "value": "red"}
    assert entry["args_schema"]["some"] == {"type": "array", "items": {"type": "int"}}
