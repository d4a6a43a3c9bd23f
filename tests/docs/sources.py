"""What the sources say, read from their syntax trees: calls, error codes, log events."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from pylon_core.errors import status_of
from tests.docs.markdown import ROOT

_CODE = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_CODE_WITH_UNDERSCORE = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
_TYPESCRIPT_CODE = re.compile(r'"([A-Z]+(?:_[A-Z]+)+|UNKNOWN)"')
_TYPESCRIPT_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_WITH_OTHER_NAMES = ("__init__.py", "pylon_core/errors.py", "codegen/error_codes.py")
"""Modules whose shouted words are exports, or the lists of codes published for clients."""

_CODE_POSITION = {
    "PylonError": 0,
    "DataError": 0,
    "Failure": 1,
    "_refuse": 1,
    "writing": 1,
    "problem": 0,
}
"""Calls that make an error, and which argument is its code."""

_FINDING_POSITION = {"error": 0, "warning": 0, "_warn": 0, "Diagnostic": 1, "finding": 1}
"""Calls that make a diagnostic."""

_NOT_CODES = frozenset(
    {
        # members of a WSGI environment
        *("CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"),
        *("REMOTE_ADDR", "REQUEST_URI", "RAW_URI", "HTTP_HOST", "HTTP_CONNECTION", "HTTP_UPGRADE"),
        *("HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION", "HTTP_SEC_WEBSOCKET_PROTOCOL"),
        # variables of an environment
        *("DATABASE_URL", "NODE_ENV", "LD_LIBRARY_PATH"),
    }
)
_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
}


@dataclass
class Codes:
    """Every code in the sources; the statuses of errors, the severities of diagnostics, where they can be read."""

    names: set[str] = field(default_factory=set)
    statuses: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    severities: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True)
class LogEvent:
    level: str
    fields: frozenset[str]


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Each module of ``src`` by its path there."""
    paths = sorted((ROOT / "src").rglob("*.py"))
    return tuple((path.relative_to(ROOT / "src").as_posix(), ast.parse(path.read_text())) for path in paths)


@cache
def codes() -> Codes:
    found = Codes()
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                _note_call(found, node)
            elif isinstance(node, ast.Constant) and not name.endswith(_WITH_OTHER_NAMES):
                _note_constant(found, node.value)
    for path in (ROOT / "packages/functions/src").glob("*.ts"):
        names = _TYPESCRIPT_CODE.findall(_TYPESCRIPT_COMMENT.sub("", path.read_text()))
        found.names |= {name for name in names if not name.startswith("PYLON_")}
    return found


def log_events() -> Mapping[str, set[LogEvent]]:
    found: defaultdict[str, set[LogEvent]] = defaultdict(set)
    for _, tree in modules():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _is_log_call(node) and isinstance(node.args[0], ast.Constant):
                    level = _LEVELS[_called(node)]
                    found[str(node.args[0].value)].add(LogEvent(level, frozenset(_fields(node, function))))
    return found


def _note_call(found: Codes, call: ast.Call) -> None:
    called = _called(call)
    if _is_log_call(call):
        return
    position = _CODE_POSITION.get(called)
    if called == "__init__" and isinstance(call.func, ast.Attribute) and _is_super(call.func.value):
        position = 0
    for code in _codes_at(call, position):
        found.names.add(code)
        found.statuses[code].add(_status(call, code))
    for code in _codes_at(call, _FINDING_POSITION.get(called)):
        found.names.add(code)
        found.severities[code].add("warning" if called in ("warning", "_warn") else _severity(call))


def _note_constant(found: Codes, value: object) -> None:
    if not isinstance(value, str) or value in _NOT_CODES or value.startswith("PYLON_"):
        return
    if _CODE_WITH_UNDERSCORE.fullmatch(value):
        found.names.add(value)


def _codes_at(call: ast.Call, position: int | None) -> Iterator[str]:
    if position is None:
        return
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    for argument in (*call.args[position : position + 1], *named):
        if isinstance(argument, ast.Constant) and _CODE.fullmatch(str(argument.value)):
            yield str(argument.value)


def _status(call: ast.Call, code: str) -> int:
    for keyword in call.keywords:
        if keyword.arg == "status" and isinstance(keyword.value, ast.Constant):
            return int(str(keyword.value.value))
    first = call.args[0]
    if _called(call) == "_refuse" and isinstance(first, ast.Constant):
        return int(str(first.value))
    return status_of(code)


def _severity(call: ast.Call) -> str:
    return "warning" if "WARNING" in ast.unparse(call) else "error"


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _is_log_call(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log" | "_log"), attr=method):
            return method in _LEVELS
    return False


def _fields(call: ast.Call, function: ast.FunctionDef) -> Iterator[str]:
    """The names of an event's fields, also of those given as ``**fields`` made in the same function."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            if keyword.arg not in ("exc_info", "exception"):
                yield keyword.arg
        elif isinstance(keyword.value, ast.Name):
            yield from _members(keyword.value.id, function)


def _members(name: str, function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Dict(keys=keys)) if target == name:
                yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))
