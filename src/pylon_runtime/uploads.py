"""Storing what a request brings: raw bytes, or the one file of a form (contract 01 §15).

The body is taken piece by piece and stored as it comes, so it never lies in memory as a whole. A file exists once
all of it has arrived and is on disk; whatever goes wrong before leaves nothing. Any thread may call, and is busy
with an upload to its end, without a turn while it waits; ``slots`` bounds how many are.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import unquote

from pylon_core.errors import PylonError
from pylon_http import Headers, Request, Response, StreamedRequest, Upload
from pylon_http.files import FileDraft, StoredFile
from pylon_runtime.multipart import FormFile, is_form

UPLOADS_MAX = 64
"""A quarter of the server's threads, so that slow uploads leave the rest to everybody else."""

DEFAULT_NAME = "upload"
DEFAULT_CONTENT_TYPE = "application/octet-stream"

_NAME_CHARS_MAX = 255
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:\s*;[ -~]*)?")
_CONTENT_TYPE_CHARS_MAX = 255


class Uploads:
    """``bytes_max`` bounds a body, the framing of a form included."""

    def __init__(self, bytes_max: int, uploads_max: int = UPLOADS_MAX) -> None:
        self._bytes_max = bytes_max
        self._slots = threading.BoundedSemaphore(uploads_max)

    def receive(self, upload: Upload, request: Request) -> Response:
        """Raises PAYLOAD_TOO_LARGE, INVALID_MULTIPART, NOT_AVAILABLE, and what body and storage raise."""
        if not self._slots.acquire(blocking=False):
            raise PylonError("NOT_AVAILABLE", "Too many uploads at once.", hint="Try again in a moment.")
        try:
            pieces = self._pieces(request)
            content_type = request.headers.get("content-type", "")
            if is_form(content_type):
                form = FormFile(content_type, pieces)
                return upload.render(_store(upload, form.name, form.content_type, form))
            return upload.render(_store(upload, _raw_name(request.headers), content_type, pieces))
        finally:
            self._slots.release()

    def _pieces(self, request: Request) -> Iterator[bytes]:
        size = 0
        for piece in _arriving(request) if isinstance(request, StreamedRequest) else (request.body,):
            size += len(piece)
            if size > self._bytes_max:
                raise PylonError("PAYLOAD_TOO_LARGE", f"The body is larger than {self._bytes_max} bytes.")
            yield piece


def _arriving(request: StreamedRequest) -> Iterator[bytes]:
    while piece := request.stream.read():
        yield piece


def _store(upload: Upload, name: str, content_type: str, data: Iterable[bytes]) -> StoredFile:
    draft: FileDraft = upload.begin(_clean_name(name), _clean_content_type(content_type))
    try:
        for piece in data:
            draft.write(piece)
        return draft.commit()
    finally:
        draft.abort()


def _raw_name(headers: Headers) -> str:
    """``X-Filename``, percent-decoded; what is beyond ASCII may also stand there as it is."""
    sent = headers.get("x-filename", "")
    with suppress(UnicodeError):  # then it is Latin-1, as headers once were
        sent = sent.encode("latin-1").decode("utf-8")
    return unquote(sent)


def _clean_name(name: str) -> str:
    """The last segment of what may be a path, without characters that cannot be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable()).strip()
    return shown[:_NAME_CHARS_MAX] or DEFAULT_NAME


def _clean_content_type(content_type: str) -> str:
    """As it was sent, if it can stand in an answer."""
    if len(content_type) > _CONTENT_TYPE_CHARS_MAX or not _CONTENT_TYPE.fullmatch(content_type):
        return DEFAULT_CONTENT_TYPE
    return content_type
