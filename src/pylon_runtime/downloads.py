"""Stored files as HTTP answers: whole, in part, or 304, with headers that keep a browser from running them.

Nothing of the file is read here: the answer says how large it is and where its bytes come from. Any thread may
call.
"""

from functools import partial
from urllib.parse import quote

from pylon_core.errors import PylonError
from pylon_http import Download, FileReader, Headers, Request, Response, StoredFile
from pylon_runtime.byte_ranges import ByteRange, Unsatisfiable, parse_range
from pylon_runtime.http_stream import BodySource, SizedResponse
from pylon_runtime.response_headers import HeaderTuples

_SHOWN = frozenset(
    {
        "application/pdf",
        "image/apng",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
        "image/x-icon",
        "text/plain",
    }
)
"""Types a browser may show in its window, sound and film aside: those that cannot hold a script."""

_SHOWN_FAMILIES = ("audio/", "video/")

_ATTRIBUTE_CHARS = "!#$&+-.^_`|~"
"""What RFC 5987 lets stand besides letters and digits."""


def download(answer: Download, request: Request) -> Response:
    file = answer.file
    headers = request.headers
    etag = f'"{file.sha256}"'
    about: HeaderTuples = (("ETag", etag), ("Cache-Control", "private, no-cache"))
    if _is_current(headers, etag):
        return Response(304, b"", headers=about)
    about += (("Accept-Ranges", "bytes"), ("Content-Disposition", content_disposition(file)))
    try:
        asked = _range(headers, etag, file.size) if request.method == "GET" else None
    except Unsatisfiable:
        error = PylonError("RANGE_NOT_SATISFIABLE", "The file has no such bytes.", status=416)
        refusal = Response.error(error)
        return Response(416, refusal.body, headers=(("Content-Range", f"bytes */{file.size}"),))
    part = asked or ByteRange(0, file.size)
    if asked is not None:
        about += (("Content-Range", f"bytes {part.start}-{part.end - 1}/{file.size}"),)
    return SizedResponse(
        200 if asked is None else 206,
        b"",
        file.content_type,
        about,
        size=part.end - part.start,
        open=partial(_source, answer, part),
    )


def content_disposition(file: StoredFile) -> str:
    """Whether a browser may show the file or has to save it, and under which name (RFC 6266)."""
    kind = file.content_type.partition(";")[0].strip().lower()
    disposition = "inline" if kind in _SHOWN or kind.startswith(_SHOWN_FAMILIES) else "attachment"
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in file.name)
    if plain == file.name:
        return f'{disposition}; filename="{plain}"'
    return f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe=_ATTRIBUTE_CHARS)}"


def _is_current(headers: Headers, etag: str) -> bool:
    tags = headers.get("if-none-match")
    return tags is not None and any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags.split(","))


def _range(headers: Headers, etag: str, size: int) -> ByteRange | None:
    """The part asked for, unless the client has begun with another version of the file."""
    text = headers.get("range")
    if text is None or headers.get("if-range", etag) != etag:
        return None
    return parse_range(text, size)


def _source(answer: Download, part: ByteRange) -> BodySource:
    return _FileSource(answer.open(part.start, part.end), part.end - part.start)


class _FileSource:
    """What a reader gives, as a body whose length was promised: anything less is a broken connection."""

    def __init__(self, reader: FileReader, size: int) -> None:
        self._reader = reader
        self._left = size

    def read(self) -> bytes:
        if self._left == 0:
            return b""
        try:
            piece = self._reader.read()
        except PylonError as error:
            raise ConnectionAbortedError(error.message) from error
        if not piece:
            raise ConnectionAbortedError("The file is shorter than it was.")
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._reader.close()
