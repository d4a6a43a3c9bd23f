"""The app's own files (``public/``) and the browser client, as HTTP answers with validators.

Any thread may call; nothing is cached here, browsers revalidate with ``ETag``. A path is split, percent-decoded
and checked segment by segment, and what it names must lie inside the folder also after symbolic links are
followed, so nothing outside can be reached. Names that begin with a dot are not served.
"""

import os
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from pylon_core.errors import PylonError
from pylon_core.turns import blocking
from pylon_http import Headers, Response
from pylon_runtime.content_types import content_type

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A file is read whole into memory; what is larger belongs on a file server."""

INDEX = "index.html"
CLIENT_PATH = "/_pylon/sync.js"
_WELL_KNOWN = ".well-known"


class StaticFiles:
    """Answers for files: ``root`` is the app's folder, ``sync_client`` the file behind ``/_pylon/sync.js``."""

    def __init__(self, root: Path | None, sync_client: Path | None) -> None:
        self._root = None if root is None else Path(os.path.realpath(root))
        self._sync_client = sync_client

    def answer(self, target: str, headers: Headers) -> Response:
        """The file a request target names. Raises NOT_FOUND."""
        path = target.partition("?")[0]
        with blocking():
            response = self._client(headers) if path == CLIENT_PATH else self._file(path, headers)
        if response is None:
            raise PylonError("NOT_FOUND", "There is nothing at this address.", hint="The API is under /api/.")
        return response

    def _client(self, headers: Headers) -> Response | None:
        return None if self._sync_client is None else file_response(self._sync_client, headers)

    def _file(self, path: str, headers: Headers) -> Response | None:
        segments = safe_segments(path)
        if self._root is None or segments is None:
            return None
        wants_folder = segments[-1] == ""
        names = segments[:-1] if wants_folder else segments
        file = _inside(self._root, names)
        if file is not None and not wants_folder:
            return file_response(file, headers)
        index = _inside(self._root, [*names, INDEX])
        if index is None:
            return None
        # Relative links in the page only work below the folder's own address.
        return file_response(index, headers) if wants_folder else _redirect(names)


def _inside(root: Path, names: list[str]) -> Path | None:
    """The regular file of these names under ``root``, symbolic links followed; ``None`` for anything else."""
    real = os.path.realpath(root.joinpath(*names))
    return Path(real) if os.path.isfile(real) and Path(real).is_relative_to(root) else None


def safe_segments(path: str) -> list[str] | None:
    """The decoded segments of an absolute path, the last empty for a folder; ``None`` for any that is unsafe."""
    first, *rest = path.split("/")
    if first or not rest:
        return None
    segments: list[str] = []
    for position, raw in enumerate(rest):
        is_last = position == len(rest) - 1
        try:
            name = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeError:
            return None
        if not _is_safe(name) and not (is_last and name == ""):
            return None
        segments.append(name)
    return segments


def _is_safe(name: str) -> bool:
    if not name or (name.startswith(".") and name != _WELL_KNOWN) or len(name) > 255:
        return False
    return not any(character in "/\\:" or ord(character) < 32 for character in name)


def file_response(path: Path, headers: Headers) -> Response | None:
    """The file as an answer: 200, or 304 when the client has it already; ``None`` when it cannot be read."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            validators = (
                ("ETag", f'"{found.st_mtime_ns:x}-{found.st_size:x}"'),
                ("Last-Modified", formatdate(int(found.st_mtime), usegmt=True)),
                ("Cache-Control", "no-cache"),
            )
            if _is_current(headers, validators[0][1], int(found.st_mtime)):
                return Response(304, b"", headers=validators)
            if found.st_size > FILE_BYTES_MAX:
                raise PylonError(
                    "NOT_SUPPORTED",
                    "The file is too large to be served from here.",
                    hint="Serve files over 64 MiB from a web server or a CDN.",
                    status=501,
                )
            return Response(200, file.read(), content_type=content_type(path.name), headers=validators)
    except OSError:
        return None


def _is_current(headers: Headers, etag: str, modified_s: int) -> bool:
    """Whether the request's conditions say the client has this version; ``If-None-Match`` decides alone."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags.split(","))
    since = headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return modified_s <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False


def _redirect(names: list[str]) -> Response:
    location = "/" + "".join(f"{quote(name)}/" for name in names)
    return Response(308, b"", headers=(("Location", location),))
