"""Uploaded files: ``/api/files`` (contract 01 §15), and who may do what with them.

Whoever is signed in, guests too, may store files and read every file whose id they know; ids cannot be guessed.
A private file is its owner's and the administrator's, and for anyone else as good as absent. Here is decided who
may; the bytes pass through the server, because they are not to lie in memory (``Upload``, ``Download``).
"""

from functools import partial
from typing import Any

from pylon_auth import AuthContext
from pylon_core.clock import rfc3339
from pylon_core.errors import PylonError
from pylon_http import Download, Response, StoredFile, Upload
from pylon_router.context import Call, FileLibrary, RouterContext
from pylon_router.params import parse_cursor_page, parse_query
from pylon_router.table import ANY_METHOD, Route

UPLOAD_PATH = "/api/files/upload"
"""Where servers have to hand over the body of a ``POST`` while it arrives."""

_SHARED = ("0", "false")
"""Any other value of ``?private=`` is taken for a wish that nobody else may read."""


def upload_file(ctx: RouterContext, call: Call) -> Upload:
    _, owner_id = _signed_in(call)
    private = parse_query(call.query).get("private", "0") not in _SHARED
    begin = partial(_library(ctx).begin, user_id=owner_id, private=private)

    def render(file: StoredFile) -> Response:
        return Response.json({"id": file.id, "size": file.size, "url": _url(ctx, file)}, status=201)

    return Upload(begin, render)


def get_file(ctx: RouterContext, call: Call) -> Download:
    auth, _ = _signed_in(call)
    file = _readable(ctx, auth, call.args[0])
    return Download(file, partial(_library(ctx).open, file))


def list_files(ctx: RouterContext, call: Call) -> Response:
    """The caller's own; for the administrator everybody's, or those of ``?user_id=``."""
    auth, caller_id = _signed_in(call)
    page = parse_cursor_page(call.query)
    if page.after is not None:
        _check_id(page.after)
    asked = parse_query(call.query).get("user_id") or None
    if not auth.is_admin and asked not in (None, caller_id):
        raise PylonError("FORBIDDEN", "The files of others are listed for the administrator only.")
    found = _library(ctx).page(asked if auth.is_admin else caller_id, page.after, page.limit + 1)
    files = found[: page.limit]
    body = {
        "data": [_entry(ctx, file) for file in files],
        "has_more": len(found) > page.limit,
        "next_cursor": files[-1].id if files else None,
    }
    return Response.json(body)


def delete_file(ctx: RouterContext, call: Call) -> Response:
    auth, _ = _signed_in(call)
    file = _readable(ctx, auth, call.args[0])
    if not _owns(auth, file):
        raise PylonError("FORBIDDEN", "Only its owner can delete a file.")
    if not _library(ctx).delete(file.id):
        raise _no_file()
    return Response.json({"deleted": True})


def refuse_id(_ctx: RouterContext, call: Call) -> Response:
    """What is no id, although it stands where one should: nothing, or something with slashes."""
    _signed_in(call)
    raise _invalid_id()


def _signed_in(call: Call) -> tuple[AuthContext, str]:
    auth = call.caller.auth
    if auth.user_id is None:
        raise PylonError("AUTH_REQUIRED", "Sign in first; a guest's session will do.")
    return auth, auth.user_id


def _readable(ctx: RouterContext, auth: AuthContext, file_id: str) -> StoredFile:
    _check_id(file_id)
    file = _library(ctx).find(file_id)
    if file is None or (file.private and not _owns(auth, file)):
        raise _no_file()
    return file


def _owns(auth: AuthContext, file: StoredFile) -> bool:
    return auth.is_admin or auth.user_id == file.user_id


def _check_id(file_id: str) -> None:
    if not file_id or ".." in file_id or "/" in file_id or "\\" in file_id or not file_id.isprintable():
        raise _invalid_id()


def _library(ctx: RouterContext) -> FileLibrary:
    if ctx.files is None:
        raise PylonError("NOT_AVAILABLE", "This server stores no files.")
    return ctx.files


def _entry(ctx: RouterContext, file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "private": file.private,
        "user_id": file.user_id,
        "created_at": rfc3339(file.created_at * 1000),
        "url": _url(ctx, file),
    }


def _url(ctx: RouterContext, file: StoredFile) -> str:
    return f"{ctx.files_url}/{file.id}"


def _no_file() -> PylonError:
    return PylonError("FILE_NOT_FOUND", "There is no such file.")


def _invalid_id() -> PylonError:
    return PylonError("INVALID_ID", "This cannot be the id of a file.")


ROUTES = (
    Route("POST", UPLOAD_PATH, upload_file),
    Route("GET", "/api/files", list_files),
    Route("GET", "/api/files/<id>", get_file),
    Route("DELETE", "/api/files/<id>", delete_file),
    Route(ANY_METHOD, "/api/files/", refuse_id),
    Route(ANY_METHOD, "/api/files/<id>/", refuse_id),
    Route(ANY_METHOD, "/api/files/<id>/<rest>", refuse_id),
    Route(ANY_METHOD, "/api/files/<id>/<rest>/<rest>", refuse_id),
)
