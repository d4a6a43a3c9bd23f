"""Actions of the manifest: ``POST /api/actions/<name>`` (contract 01 §16).

Nothing is executed: the policy and the declared input are checked, and the input is echoed. Code runs under
``/api/fn/<name>``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pylon_core import jsontext
from pylon_core.datetimes import parse_instant
from pylon_core.errors import PylonError
from pylon_core.manifest import ActionDef, FieldDef, FieldKind
from pylon_http import Response
from pylon_router.context import Call, RouterContext
from pylon_router.table import ANY_METHOD, Route, refuse_method


def check_action(ctx: RouterContext, call: Call) -> Response:
    (name,) = call.args
    payload = jsontext.decode_object(call.body)
    ctx.policies.check_action(name, call.caller.auth, payload)
    action = ctx.manifest.action(name)
    if action is None:
        raise _unknown(ctx, name)
    for field in action.input:
        _check_input(action, field, payload.get(field.name))
    return Response.json({"action": name, "executed": True, "input": payload})


def _check_input(action: ActionDef, field: FieldDef, value: Any) -> None:
    if value is None:
        if not field.optional:
            raise _missing(action, field)
    elif not _FITS[field.kind or FieldKind.STRING](value):
        raise PylonError("INVALID_DATA", f"{field.name} of {action.name} must be of type {field.type}.")


def _unknown(ctx: RouterContext, name: str) -> PylonError:
    declared = ", ".join(sorted(action.name for action in ctx.manifest.actions)) or "none"
    return PylonError("ACTION_NOT_FOUND", f"There is no action {name!r}.", hint=f"Declared actions: {declared}.")


def _missing(action: ActionDef, field: FieldDef) -> PylonError:
    required = ", ".join(declared.name for declared in action.input if not declared.optional)
    return PylonError(
        "ACTION_MISSING_INPUT",
        f"{action.name} needs {field.name} ({field.type}).",
        hint=f"Required: {required}.",
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return type(value) is int or (isinstance(value, float) and value.is_integer())


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (type(value) is int and value in (0, 1))


def _is_instant(value: Any) -> bool:
    try:
        parse_instant(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


_FITS: Mapping[FieldKind, Callable[[Any], bool]] = {
    FieldKind.STRING: _is_text,
    FieldKind.RICHTEXT: _is_text,
    FieldKind.ID: _is_text,
    FieldKind.INT: _is_whole,
    FieldKind.FLOAT: _is_number,
    FieldKind.BOOL: _is_boolean,
    FieldKind.DATETIME: _is_instant,
}

ROUTES = (
    Route("POST", "/api/actions/<name>", check_action),
    Route(ANY_METHOD, "/api/actions/<name>", refuse_method),
)
