"""The frames as this end of the talk sees them (contract 07 §3-4). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class WireAuth(msgspec.Struct, frozen=True):
    user_id: str | None = None
    is_admin: bool = False
    tenant_id: str | None = None
    roles: tuple[str, ...] = ()


class WireRequest(msgspec.Struct, frozen=True):
    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: str
    raw_body_base64: str | None = None


class CallFrame(msgspec.Struct, frozen=True, tag="call", tag_field="type"):
    call_id: str
    fn_name: str
    fn_type: str | None = None
    args: msgspec.Raw = msgspec.Raw(b"{}")
    auth: WireAuth = WireAuth()
    request: WireRequest | None = None


class WireError(msgspec.Struct, frozen=True):
    code: str = "UNKNOWN"
    message: str = ""


class ResultFrame(msgspec.Struct, frozen=True, tag="result", tag_field="type"):
    call_id: str
    op_id: str | None = None
    data: Any = None
    error: WireError | None = None


class AbandonFrame(msgspec.Struct, frozen=True, tag="abandon", tag_field="type"):
    call_id: str


HostFrame = CallFrame | ResultFrame | AbandonFrame

_decoder = msgspec.json.Decoder(HostFrame)


def decode(line: bytes) -> HostFrame | None:
    """``None`` for a line that this child does not know: an older child survives a newer server."""
    try:
        frame: HostFrame = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return frame


class FunctionEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One function in ``ready``; ``options`` are those of a workflow. ``internal`` is left out when false."""

    name: str
    fn_type: str
    args_schema: Mapping[str, Any] | None
    options: Mapping[str, Any] | None = None
    internal: bool = False
    returns: Mapping[str, Any] | None = None
    """What its value is, as a validator; ``None``: nobody says."""


class FileProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with a file of the functions folder, for its author; ``file`` is relative to the folder."""

    file: str
    line: int | None
    message: str


def ready(functions: Sequence[FunctionEntry], problems: Sequence[FileProblem] = ()) -> dict[str, Any]:
    return {"type": "ready", "functions": functions, "problems": problems}


def not_ready(error: str) -> dict[str, Any]:
    return {"type": "ready", "functions": (), "error": error}
