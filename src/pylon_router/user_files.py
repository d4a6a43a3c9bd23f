"""The files of one user, as personal data."""

from collections.abc import Iterator, Sequence
from typing import Any

from pylon_core.clock import rfc3339
from pylon_http import StoredFile
from pylon_router.context import FileLibrary, PersonalData

_PAGE = 100


class UserFiles:
    name = "files"

    def __init__(self, library: FileLibrary) -> None:
        self._library = library

    def export(self, user_id: str) -> Sequence[Any]:
        """What is known of each; the bytes are had one by one, by id."""
        return [
            {
                "id": file.id,
                "name": file.name,
                "content_type": file.content_type,
                "size": file.size,
                "private": file.private,
                "created_at": rfc3339(file.created_at * 1000),
            }
            for file in self._all(user_id)
        ]

    def erase(self, user_id: str) -> None:
        for file in self._all(user_id):
            self._library.delete(file.id)

    def _all(self, user_id: str) -> Iterator[StoredFile]:
        after = None
        while page := self._library.page(user_id, after, _PAGE):
            yield from page
            after = page[-1].id


_: type[PersonalData] = UserFiles
