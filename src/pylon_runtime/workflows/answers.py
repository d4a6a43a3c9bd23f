"""What a runner answers to a pass, made sense of (contract 09 §4). Pure; a runner may answer anything."""

import re
from typing import Any

import msgspec

from pylon_core.names import name_problem
from pylon_functions.workflows import VALUE_BYTES_MAX, event_problem
from pylon_http.jobs import error_text
from pylon_http.workflows import NULL

UNKNOWN_STEP = "unknown"
DURATION_S_MAX = 36_500 * 86_400

_DURATION = re.compile(r"\s*(\d{1,9})([smhd]?)\s*\Z")
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_encoder = msgspec.json.Encoder()


class StepComplete(msgspec.Struct, frozen=True):
    step_name: str
    output: msgspec.Raw
    duration_ms: int | None


class Sleep(msgspec.Struct, frozen=True):
    seconds: int


class WaitForEvent(msgspec.Struct, frozen=True):
    event: str
    timeout_s: int | None


class RunChild(msgspec.Struct, frozen=True):
    workflow: str
    input: msgspec.Raw
    max_retries: int = 3


class Complete(msgspec.Struct, frozen=True):
    output: msgspec.Raw


class Fail(msgspec.Struct, frozen=True):
    error: str
    step_name: str = UNKNOWN_STEP


class UnknownAction(msgspec.Struct, frozen=True):
    action: str


Answer = StepComplete | Sleep | WaitForEvent | RunChild | Complete | Fail | UnknownAction


def parse_answer(value: Any) -> Answer:
    """``value`` is decoded JSON of any kind. What a pass cannot go on from is a ``Fail``."""
    answer = _parsed(value if isinstance(value, dict) else {})
    match answer:
        case StepComplete(step_name, output):
            return _problem(output=output, name=step_name, kind="step") or answer
        case WaitForEvent(event):
            return _problem(event_problem(event)) or answer
        case RunChild(workflow, child_input):
            return _problem(output=child_input, name=workflow, kind="workflow") or answer
        case Complete(output):
            return _problem(output=output) or answer
        case Fail(error, step_name):
            return Fail(error_text(error), UNKNOWN_STEP if name_problem(step_name) else step_name)
    return answer


def _problem(
    message: str | None = None, *, output: msgspec.Raw = NULL, name: str | None = None, kind: str = ""
) -> Fail | None:
    if name is not None and (problem := name_problem(name)) is not None:
        return Fail(f"The name of a {kind} {problem}")
    if len(bytes(output)) > VALUE_BYTES_MAX:
        message = f"A value of more than {VALUE_BYTES_MAX >> 20} MiB is too large; keep it in the database"
    return None if message is None else Fail(message, UNKNOWN_STEP if name is None or kind != "step" else name)


def _parsed(answer: dict[str, Any]) -> Answer:
    action = answer.get("action")
    match action:
        case "step_complete":
            step_name = _text(answer, "step_name", UNKNOWN_STEP)
            return StepComplete(step_name, _json(answer, "output"), _milliseconds(answer.get("duration_ms")))
        case "sleep":
            return _sleep(answer.get("duration", "0s"))
        case "wait_event":
            return _wait(answer)
        case "child":
            return RunChild(_text(answer, "workflow", ""), _json(answer, "input"))
        case "complete":
            return Complete(_json(answer, "output"))
        case "fail":
            return Fail(_text(answer, "error", "Unknown error"), _text(answer, "step_name", UNKNOWN_STEP))
        case str():
            return UnknownAction(action)
        case _:
            return Fail("Unknown error")


def parse_duration(text: Any) -> int | None:
    """Seconds; ``None`` for what is no duration, or more than a hundred years."""
    found = _DURATION.match(text) if isinstance(text, str) else None
    seconds = None if found is None else int(found[1]) * _UNIT_SECONDS[found[2]]
    return None if seconds is None or seconds > DURATION_S_MAX else seconds


def _sleep(duration: Any) -> Answer:
    seconds = parse_duration(duration)
    return Fail(f"{duration!r} is no duration") if seconds is None else Sleep(seconds)


def _wait(answer: dict[str, Any]) -> Answer:
    if "timeout" not in answer:
        return WaitForEvent(_text(answer, "event", ""), None)
    timeout_s = parse_duration(answer["timeout"])
    if timeout_s is None:
        return Fail(f"{answer['timeout']!r} is no duration")
    return WaitForEvent(_text(answer, "event", ""), timeout_s)


def _text(answer: dict[str, Any], key: str, default: str) -> str:
    value = answer.get(key)
    return value if isinstance(value, str) else default


def _milliseconds(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 <= value <= 1000 * DURATION_S_MAX else None


def _json(answer: dict[str, Any], key: str) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(answer[key])) if key in answer else NULL
