"""Why a document is no manifest, in words its author can act on: where in the text, or which member.

Each fault is one MANIFEST_PARSE_ERROR. Pure functions, for any thread.
"""

import json
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pylon_core import jsontext
from pylon_core.diagnostics import Diagnostic, Severity, Span

_EXPECTED: Mapping[str, str] = {
    "string_type": "a string",
    "bool_type": "true or false",
    "int_type": "an integer",
    "tuple_type": "an array",
    "model_type": "an object",
    "mapping_type": "an object",
}


def syntax_fault(text: bytes | str, file: str) -> Diagnostic:
    """Why the text was refused: the decoder in use does not say where, so a second one looks for the place."""
    try:
        json.loads(text if isinstance(text, str) else text.decode())
    except json.JSONDecodeError as error:
        return _parse_error(f"The manifest is not valid JSON: {error.msg}.", Span(file, error.lineno, error.colno))
    except UnicodeError:
        return _parse_error("The manifest is not UTF-8 text.", Span(file))
    except RecursionError:
        pass  # said below: too deep for either decoder
    return _parse_error(
        f"The manifest is not plain JSON, or nests deeper than {jsontext.DEPTH_MAX} levels.", Span(file)
    )


def shape_fault(error: ValidationError, file: str) -> Diagnostic:
    faults = error.errors(include_url=False, include_context=True)
    hint = f"{len(faults) - 1} more members are wrong too." if len(faults) > 1 else None
    return _parse_error(f"{_path(faults[0]['loc'])} {_complaint(faults[0])}.", Span(file), hint)


def _parse_error(message: str, span: Span, hint: str | None = None) -> Diagnostic:
    return Diagnostic(Severity.ERROR, "MANIFEST_PARSE_ERROR", message, hint, span)


def _path(location: tuple[int | str, ...]) -> str:
    """``("entities", 0, "name")`` as ``entities[0].name``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "".join(steps).removeprefix(".") or "The document"


def _complaint(fault: ErrorDetails) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "greater_than_equal":
        return f"must be {context['ge']} or more"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_json_type(fault['input'])}"
    return f"is wrong: {fault['msg']}"


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "a number"
        case float():
            return "a fraction"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
