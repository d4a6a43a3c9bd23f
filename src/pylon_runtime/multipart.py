"""The one file of a ``multipart/form-data`` body, found and given out while the body arrives.

The first part that has a file name is the file; everything else is read over. What is not a complete form raises
INVALID_MULTIPART, also after the file: half a form is half a request. One thread uses it.
"""

from collections.abc import Iterable, Iterator

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, File, MultipartDecoder, NeedData

from pylon_core.errors import PylonError

_BUFFER_BYTES_MAX = 1 << 20
"""What a part's headers, or what is before and after all parts, may take; above the pieces a body comes in."""

_PIECE_BYTES = 256 << 10
_PARTS_MAX = 1000
_BOUNDARY_CHARS_MAX = 200
"""RFC 2046 allows 70."""


def is_form(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/form-data")


class FormFile:
    """``pieces`` are the body's, of any size. Once constructed, the file's headers are known; iterating gives its
    bytes, and ends after the body has."""

    def __init__(self, content_type: str, pieces: Iterable[bytes]) -> None:
        self._events = _events(_boundary(content_type), pieces)
        for event in self._events:
            if isinstance(event, File):
                self.name = event.filename
                self.content_type = event.headers.get("content-type", "")
                return
        raise _invalid("no part of it is a file")

    def __iter__(self) -> Iterator[bytes]:
        is_inside = True
        for event in self._events:
            if is_inside and isinstance(event, Data):
                yield event.data
                is_inside = event.more_data


def _boundary(content_type: str) -> bytes:
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary or not boundary.isascii() or len(boundary) > _BOUNDARY_CHARS_MAX:
        raise _invalid("its content type names no boundary")
    return boundary.encode("ascii")


def _events(boundary: bytes, pieces: Iterable[bytes]) -> Iterator[Event]:
    decoder = MultipartDecoder(boundary, _BUFFER_BYTES_MAX, max_parts=_PARTS_MAX)
    for piece in pieces:
        for start in range(0, len(piece), _PIECE_BYTES):
            yield from _decoded(decoder, piece[start : start + _PIECE_BYTES])
    yield from _decoded(decoder, None)


def _decoded(decoder: MultipartDecoder, data: bytes | None) -> list[Event]:
    events: list[Event] = []
    try:
        decoder.receive_data(data)
        while not isinstance(event := decoder.next_event(), NeedData):
            events.append(event)
            if isinstance(event, Epilogue):
                break
    except RequestEntityTooLarge:
        raise _invalid("it is mostly framing") from None
    except ValueError:
        raise _invalid("it is not well formed, or breaks off") from None
    return events


def _invalid(reason: str) -> PylonError:
    return PylonError("INVALID_MULTIPART", f"The form cannot be read: {reason}.")
