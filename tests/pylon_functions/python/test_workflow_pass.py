"""Passes of a Python workflow, driven as the engine does."""

from pathlib import Path
from typing import Any

from tests.pylon_functions.python.child import Frame, PythonChild

ORDER = """
@workflow("order", max_retries=1, description="Ships.")
def order(ctx):
    try:
        a = ctx.step("a", lambda: 1)
        ctx.sleep("1h")
        b = ctx.step("b", lambda: ctx.run_mutation("charge", {"n": a}))
        event = ctx.wait_for_event("paid", timeout="5m")
        shipped = ctx.child("ship", {"to": "x"})
    except Exception as error:
        return "swallowed"
    return [ctx.input, b, event, shipped]

@workflow("broken")
def broken(ctx):
    ctx.step("boom", lambda: 1 / 0)

@workflow("careless")
def careless(ctx):
    return ctx.run_mutation("charge")
"""


def run_pass(child: PythonChild, name: str, records: list[Frame], current: int) -> Any:
    request = {"workflow_id": "wf_1", "workflow_name": name, "input": 7}
    child.call(name, {**request, "current_step": current, "completed_steps": records})
    frame = child.hear()
    if frame["type"] == "run_fn":
        child.answer(frame, "charged")
        frame = child.hear()
    return frame["value"]


def test_a_workflow_goes_through_its_operations_one_a_pass(tmp_path: Path) -> None:
    paid = {"name": "event:paid", "status": "completed", "output": 5}
    shipped = {"name": "child:ship", "status": "completed"}
    records: list[Frame] = []
    answers = []
    with PythonChild(tmp_path, order=ORDER) as child:
        entry = next(entry for entry in child.ready["functions"] if entry["name"] == "order")
        for current in range(6):
            answer = run_pass(child, "order", records, current)
            answers.append(answer)
            if answer["action"] == "step_complete":
                records.append({"name": answer["step_name"], "status": "completed", "output": answer["output"]})
            elif answer["action"] == "wait_event":
                records.append(paid)
            elif answer["action"] == "child":
                outcome = {"status": "Completed", "output": "there", "error": None}
                records.append({**shipped, "output": outcome})

    options = {"description": "Ships.", "max_retries": 1, "step_timeout_secs": 60, "file": "order.py"}
    assert (entry["fn_type"], entry["options"]) == ("workflow", options)
    assert [answer["action"] for answer in answers] == [
        "step_complete",
        "sleep",
        "step_complete",
        "wait_event",
        "child",
        "complete",
    ]
    assert answers[1]["duration"] == "3600s"
    assert answers[2]["output"] == "charged"
    assert answers[3]["timeout"] == "300s"
    assert answers[5]["output"] == [7, "charged", 5, "there"]


def test_what_goes_wrong_is_told_with_its_step(tmp_path: Path) -> None:
    changed = [{"name": "old", "status": "completed", "output": 1}]
    with PythonChild(tmp_path, order=ORDER) as child:
        broken = run_pass(child, "broken", [], 0)
        careless = run_pass(child, "careless", [], 0)
        changed_answer = run_pass(child, "order", changed, 1)

    assert broken == {"action": "fail", "step_name": "boom", "error": "division by zero"}
    assert careless["action"] == "fail"
    assert "inside of a step" in careless["error"]
    assert changed_answer["action"] == "fail"
    assert '"old"' in changed_answer["error"]
    assert "step_name" not in changed_answer
