"""The frames between the server and a child process: one JSON object a line (contract 07 §3-4). Pure.

Values come from handlers as they are, so no field of a request is trusted to have its type: a frame decodes
whenever it is JSON of a known ``type``, and whoever serves it checks its operands. A line that cannot be
decoded at all (a lone surrogate, absurd nesting, cut for its length) still becomes an ``Unreadable`` frame when
its ids can be found, because the handler that sent it waits for an answer.
"""

import re
from typing import Any

import msgspec

from pylon_auth.context import AuthContext
from pylon_core.errors import PylonError
from pylon_functions.invocation import WebhookRequest
from pylon_functions.registry import FileProblem, FunctionDefinition

_EMPTY = msgspec.Raw(b"{}")
_NULL = msgspec.Raw(b"null")


class _FromChild(msgspec.Struct, frozen=True, tag_field="type"):
    call_id: str


class Database(_FromChild, frozen=True, tag="db"):
    """An operation of ``ctx.db``; which operands it has depends on ``op``. ``identity`` says whose rights it has:
    nothing for the function's own, which are all, or ``user``."""

    op: Any = None
    identity: Any = msgspec.field(name="as", default=None)
    op_id: str | None = None
    entity: Any = None
    id: Any = None
    field: Any = None
    value: Any = None
    data: Any = msgspec.UNSET
    after: Any = None
    limit: Any = None
    relation: Any = None
    target_id: Any = None


class RunFunction(_FromChild, frozen=True, tag="run_fn"):
    fn_name: Any = None
    fn_type: Any = None
    args: msgspec.Raw = _EMPTY
    op_id: str | None = None


class Schedule(_FromChild, frozen=True, tag="schedule"):
    """``identity`` says whom the function will run as: nothing for nobody, or ``caller``."""

    fn_name: Any = None
    args: msgspec.Raw = _EMPTY
    delay_ms: Any = None
    run_at: Any = None
    identity: Any = msgspec.field(name="as", default=None)
    op_id: str | None = None


class CancelSchedule(_FromChild, frozen=True, tag="cancel_schedule"):
    schedule_id: Any = None
    op_id: str | None = None


class Stream(_FromChild, frozen=True, tag="stream"):
    """Text for the caller; asks for no answer."""

    data: Any = None
    event: Any = None


class Return(_FromChild, frozen=True, tag="return"):
    value: msgspec.Raw = _NULL


class Failure(_FromChild, frozen=True, tag="error"):
    code: Any = None
    message: Any = None


class Unreadable(msgspec.Struct, frozen=True):
    """A request that belongs to a call but says nothing that can be understood."""

    call_id: str
    op_id: str | None


Request = Database | RunFunction | Schedule | CancelSchedule | Unreadable
"""The frames a handler waits on: each gets exactly one ``result``."""
CallFrame = Request | Stream | Return | Failure


class Ready(msgspec.Struct, frozen=True, tag="ready", tag_field="type"):
    """The first frame of a child: what it can run, or why it cannot."""

    functions: tuple[FunctionDefinition, ...]
    error: str | None = None
    problems: tuple[FileProblem, ...] = ()
    """Of files that were left out; the rest runs."""


_decoder = msgspec.json.Decoder(
    Database | RunFunction | Schedule | CancelSchedule | Stream | Return | Failure | Ready
)
_encoder = msgspec.json.Encoder()
_TYPE = re.compile(rb'"type"\s*:\s*"(\w{1,20})"')
_CALL_ID = re.compile(rb'"call_id"\s*:\s*"([^"\\]{1,200})"')
_OP_ID = re.compile(rb'"op_id"\s*:\s*"([^"\\]{1,200})"')


def decode(line: bytes) -> CallFrame | Ready | None:
    """A child's line as a frame; ``None`` when it is none (a handler wrote to stdout)."""
    try:
        frame: CallFrame | Ready = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _salvage(line)
    return frame


def _salvage(line: bytes) -> Unreadable | Failure | None:
    call_id = _first(_CALL_ID, line)
    if call_id is None:
        return None
    if _first(_TYPE, line) in ("return", "error"):
        return Failure(
            call_id, "PROTOCOL_ERROR", "The function's result cannot be read: too long, too deep or no text."
        )
    return Unreadable(call_id, _first(_OP_ID, line))


def _first(member: re.Pattern[bytes], line: bytes) -> str | None:
    found = member.search(line)
    return None if found is None else found[1].decode(errors="replace")


class _WireAuth(msgspec.Struct, frozen=True, omit_defaults=True):
    is_admin: bool
    user_id: str | None = None
    tenant_id: str | None = None
    roles: tuple[str, ...] = ()


class _Call(msgspec.Struct, frozen=True, tag="call", tag_field="type"):
    call_id: str
    fn_name: str
    fn_type: str
    args: Any
    auth: _WireAuth
    request: WebhookRequest | msgspec.UnsetType = msgspec.UNSET


class _Result(msgspec.Struct, frozen=True, tag="result", tag_field="type"):
    call_id: str
    data: Any
    op_id: str | msgspec.UnsetType = msgspec.UNSET


class _WireError(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Refusal(msgspec.Struct, frozen=True, tag="result", tag_field="type"):
    call_id: str
    error: _WireError
    op_id: str | msgspec.UnsetType = msgspec.UNSET


class _Abandon(msgspec.Struct, frozen=True, tag="abandon", tag_field="type"):
    call_id: str


def call_line(
    call_id: str,
    function: FunctionDefinition,
    args: Any,
    auth: AuthContext,
    request: WebhookRequest | None = None,
) -> bytes:
    """``args`` is any JSON value, or a ``msgspec.Raw`` of valid JSON."""
    who = _WireAuth(auth.is_admin, auth.user_id, auth.tenant_id, auth.roles)
    return _line(_Call(call_id, function.name, function.fn_type, args, who, request or msgspec.UNSET))


def result_line(request: Request, data: Any) -> bytes:
    return _line(_Result(request.call_id, data, request.op_id or msgspec.UNSET))


def refusal_line(request: Request, error: PylonError) -> bytes:
    problem = _WireError(error.code, error.message)
    return _line(_Refusal(request.call_id, problem, request.op_id or msgspec.UNSET))


def abandon_line(call_id: str) -> bytes:
    """Nobody waits for this call any more: what its handler still asks for is refused where it runs."""
    return _line(_Abandon(call_id))


def _line(frame: _Call | _Result | _Refusal | _Abandon) -> bytes:
    text = _encoder.encode(frame)
    if b"\n" in text:  # only from a Raw, where JSON allows it between tokens
        text = text.replace(b"\n", b" ")
    return text + b"\n"
