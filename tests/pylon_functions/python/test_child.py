"""The Python child at its pipes: what it announces, how it checks arguments, what its ``ctx`` says."""

from pathlib import Path
from typing import Any

import pytest

from tests.pylon_functions.python.child import PythonChild

ARGUMENTS = """
@query
def typed(ctx, title: str, count: int, ratio: float = 0.5, on: bool = True,
          lot: Annotated[str, row_id("Lot")] = "", tags: list[str] | None = None,
          unit: Literal["EUR", "USD"] = "EUR", when: datetime | None = None) -> Any:
    return [title, count, ratio, on, lot, tags, unit, when]

@query
def anything(ctx, **rest): return rest

@query
def nothing(ctx): return None
"""


def test_it_announces_functions_with_their_validators(tmp_path: Path) -> None:
    with PythonChild(tmp_path, lots=ARGUMENTS) as child:
        assert child.ready["type"] == "ready"
        entries = {entry["name"]: entry for entry in child.ready["functions"]}

    schema = entries["typed"]["args_schema"]
    assert entries["typed"]["fn_type"] == "query"
    assert schema["title"] == {"type": "string"}
    assert schema["count"] == {"type": "int"}
    assert schema["ratio"] == {"type": "number", "optional": True}
    assert schema["lot"] == {"type": "id", "table": "Lot", "optional": True}
    assert schema["unit"]["variants"] == [{"type": "literal", "value": "EUR"}, {"type": "literal", "value": "USD"}]
    assert entries["nothing"]["args_schema"] is None


def test_arguments_arrive_converted_and_with_their_defaults(tmp_path: Path) -> None:
    args = {"title": "a", "count": 2, "tags": ["x"], "when": "2026-05-02T10:00:00Z", "extra": 1}
    with PythonChild(tmp_path, lots=ARGUMENTS) as child:
        typed = child.run("typed", args)
        rest = child.run("anything", {"a": 1})
        ignored = child.run("nothing", {"a": 1})

    assert typed["value"] == ["a", 2, 0.5, True, "", ["x"], "EUR", "2026-05-02T10:00:00Z"]
    assert rest["value"] == {"a": 1}
    assert ignored["value"] is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"count": 1}, 'Missing required field "title" (type: string)'),
        ({"title": 1, "count": 1}, "title: expected string, got int"),
        ({"title": "a", "count": 1.5}, "count: expected int, got number"),
        ({"title": "a", "count": 1, "tags": [1]}, "tags[0]: expected string, got int"),
        ({"title": "a", "count": 1, "unit": "GBP"}, "unit: Invalid enum value 'GBP'"),
        ([1], "args must be an object"),
    ],
    ids=["missing", "type", "fraction", "element", "literal", "array"],
)
def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, args: Any, message: str) -> None:
    with PythonChild(tmp_path, lots=ARGUMENTS) as child:
        refused = child.run("typed", args)

    assert refused == {"type": "error", "call_id": "c_1", "code": "INVALID_ARGS", "message": message}


DATABASE = """
@mutation
def everything(ctx):
    db, user = ctx.db, ctx.as_user()
    ctx.stream.write("a"); ctx.stream.write_event("b", "c")
    return [db.get("Lot", "1"), db.insert("Lot", {"title": "x"}), db.update("Lot", "1", {"price": 2}),
            db.delete("Lot", "1"), user.query("Lot", {"open": True}),
            ctx.scheduler.run_after(10.5, "tick", as_caller=True), ctx.scheduler.cancel("job_1")]

@mutation
def two_at_once(ctx):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda row_id: ctx.db.get("Lot", row_id), ["1", "2"]))

@action
def nested(ctx):
    try:
        return ctx.run_mutation("everything", {"a": 1})
    except Exception as error:
        return [error.code, str(error)]
"""


def test_each_operation_is_one_question_in_the_words_of_the_wire(tmp_path: Path) -> None:
    answers = [
        {"id": "1"},
        {"id": "2"},
        {"updated": True},
        {"deleted": False},
        [],
        {"id": "job_1"},
        {"cancelled": True},
    ]
    asked = []
    with PythonChild(tmp_path, lots=DATABASE) as child:
        child.call("everything")
        streamed = [child.hear(), child.hear()]
        for data in answers:
            asked.append(child.hear())
            child.answer(asked[-1], data)
        ended = child.hear()

    assert [(frame["data"], frame.get("event")) for frame in streamed] == [("a", None), ("c", "b")]
    assert ended["value"] == [{"id": "1"}, "2", True, False, [], "job_1", True]
    assert [frame.get("op") for frame in asked] == ["get", "insert", "update", "delete", "query", None, None]
    assert asked[4]["as"] == "user"
    assert (asked[5]["type"], asked[5]["delay_ms"], asked[5]["as"]) == ("schedule", 10.5, "caller")
    assert (asked[6]["type"], asked[6]["schedule_id"]) == ("cancel_schedule", "job_1")


def test_questions_of_two_threads_get_their_own_answers(tmp_path: Path) -> None:
    with PythonChild(tmp_path, lots=DATABASE) as child:
        child.call("two_at_once")
        first, second = child.hear(), child.hear()
        child.answer(second, {"id": second["id"]})
        child.answer(first, {"id": first["id"]})
        ended = child.hear()

    assert ended["value"] == [{"id": "1"}, {"id": "2"}]


def test_a_refusal_is_raised_with_its_code_and_may_be_caught(tmp_path: Path) -> None:
    with PythonChild(tmp_path, lots=DATABASE) as child:
        child.call("nested")
        request = child.hear()
        child.refuse(request, "SOLD_OUT", "None are left.")
        ended = child.hear()

    assert (request["type"], request["fn_type"], request["args"]) == ("run_fn", "mutation", {"a": 1})
    assert ended["value"] == ["SOLD_OUT", "None are left."]


ENDINGS = """
@mutation
def coded(ctx): raise ctx.error("A", "b")

@mutation
def broken(ctx): raise RuntimeError("secret")

@query
def unspeakable(ctx): return object()

@query
def loud(ctx):
    import sys
    print("to stdout"); sys.stdout.flush()
    return sys.stdin.read()

@query
def who(ctx): return [ctx.auth.user_id, ctx.auth.is_admin, ctx.auth.tenant_id, list(ctx.auth.roles)]

@action
def hook(ctx): return [ctx.request.method, ctx.request.headers, ctx.request.raw_body]

@query(name="renamed")
def original(ctx): return 1
"""


def test_calls_end_with_what_their_caller_may_know(tmp_path: Path) -> None:
    request = {"method": "POST", "path": "/x", "headers": {"X-Sig": "1"}, "raw_body": "{}"}
    auth = {"user_id": "u", "is_admin": True, "tenant_id": "t", "roles": ["r"]}
    with PythonChild(tmp_path, ends=ENDINGS) as child:
        coded = child.run("coded")
        broken, unspeakable = child.run("broken"), child.run("unspeakable")
        loud = child.run("loud")
        who, hook = child.run("who", auth=auth), child.run("hook", request=request)
        renamed = child.run("renamed")
        unknown, mismatch = child.run("nope"), child.run("who", fn_type="mutation")
        code, stderr = child.end()

    assert (coded["code"], coded["message"]) == ("A", "b")
    assert (broken["code"], broken["message"]) == ("HANDLER_ERROR", "Internal handler error")
    assert unspeakable["code"] == "HANDLER_ERROR"
    assert loud["value"] == ""
    assert who["value"] == ["u", True, "t", ["r"]]
    assert hook["value"] == ["POST", {"x-sig": "1"}, "{}"]
    assert renamed["value"] == 1
    assert (unknown["code"], mismatch["code"]) == ("FN_NOT_FOUND", "FN_TYPE_MISMATCH")
    assert code == 0
    assert "secret" in stderr
    assert "to stdout" in stderr


def test_an_abandoned_call_ends_at_its_next_question(tmp_path: Path) -> None:
    waits = "@mutation\ndef waits(ctx): return ctx.db.get('Lot', '1')\n"
    with PythonChild(tmp_path, lots=waits) as child:
        child.call("waits")
        child.hear()
        child.say({"type": "abandon", "call_id": "c_1"})
        ended = child.hear()

    assert (ended["type"], ended["code"]) == ("error", "NOT_AVAILABLE")


def test_what_cannot_be_loaded_is_told_of_and_left_out(tmp_path: Path) -> None:
    modules: dict[str, Any] = {
        "broken": "raise RuntimeError('on import')\n",
        "prices": "def total(n): return 2 * n\n",
        "json": "@query\ndef shadow(ctx): return 1\n",
        "shop": (
            "from functions.prices import total\nfrom .json import shadow\n"
            "@query\ndef price(ctx, n: int): return total(n)\n"
            "@query\nasync def later(ctx): return 1\n"
            "@query\ndef unnamed(ctx, a, /, b): return 1\n"
        ),
        "test_shop": "@query\ndef of_a_test(ctx): return 1\n",
    }
    with PythonChild(tmp_path, **modules) as child:
        names = [entry["name"] for entry in child.ready["functions"]]
        price = child.run("price", {"n": 2})
        _, stderr = child.end()

    assert sorted(names) == ["price", "shadow"]
    assert price["value"] == 4
    assert "on import" in stderr
    assert "async" in stderr
    assert "'a'" in stderr


def test_garbage_from_the_server_is_ignored(tmp_path: Path) -> None:
    with PythonChild(tmp_path, ends=ENDINGS) as child:
        child.say({"type": "unheard of"})
        child.say({"type": "result", "call_id": "c_9", "data": 1})

        assert child.run("renamed")["value"] == 1
