"""What a runner answers to a pass, made sense of (contract 09 §4). Pure; a runner may answer anything."""

import re
from typing import Any

import msgspec

from pylon_http.workflows import NULL

UNKNOWN_STEP = "unknown"

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
    answer = value if isinstance(value, dict) else {}
    action = answer.get("action")
    match action:
        case "step_complete":
            duration_ms = answer.get("duration_ms")
            whole_ms = int(duration_ms) if isinstance(duration_ms, int | float) else None
            return StepComplete(_text(answer, "step_name", UNKNOWN_STEP), _json(answer, "output"), whole_ms)
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
    """Seconds; ``None`` for what is no duration."""
    found = _DURATION.match(text) if isinstance(text, str) else None
    return None if found is None else int(found[1]) * _UNIT_SECONDS[found[2]]


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


def _json(answer: dict[str, Any], key: str) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(answer[key])) if key in answer else NULL
