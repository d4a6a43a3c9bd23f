"""What a runner answers to a pass, made sense of (contract 09 §4). Pure; a runner may answer anything."""

import re
from typing import Any

import msgspec

from pylon_http.workflows import NULL

UNKNOWN_STEP = "unknown"
CHILD_PREFIX = "child:"
"""How the waiting for a child begins, so no event may be called so."""
NAME_CHARS_MAX = 200
VALUE_BYTES_MAX = 1 << 20
"""Of one value: an input, the output of a step, the data of an event."""
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
        case Fail(error, step_name) if not is_name(step_name):
            return Fail(error)
    return answer


def is_name(text: str) -> bool:
    """Whether it can be the name of something: short, and without the one character that Postgres has not."""
    return 0 < len(text) <= NAME_CHARS_MAX and "\0" not in text


def event_problem(name: str) -> str | None:
    """Why an event cannot be called so."""
    if not is_name(name):
        return f"The name of an event has between 1 and {NAME_CHARS_MAX} characters"
    if name.startswith(CHILD_PREFIX):
        return f"The name of an event cannot begin with {CHILD_PREFIX!r}"
    return None


def _problem(
    message: str | None = None, *, output: msgspec.Raw = NULL, name: str | None = None, kind: str = ""
) -> Fail | None:
    if name is not None and not is_name(name):
        return Fail(f"The name of a {kind} has between 1 and {NAME_CHARS_MAX} characters")
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
