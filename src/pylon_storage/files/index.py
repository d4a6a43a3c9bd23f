"""The entries of files in the application's own database, written once for all engines. Any thread may call it."""

from collections.abc import Sequence

from pylon_http.files import FileIndex, StoredFile
from pylon_storage.statements import Columns, Statements, Tables

TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS _pylon_files (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL,"
        " content_type TEXT NOT NULL, size BIGINT NOT NULL, sha256 TEXT NOT NULL, private INTEGER NOT NULL,"
        " created_at BIGINT NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS _pylon_files_user ON _pylon_files (user_id, id)",
    (
        "CREATE TABLE IF NOT EXISTS _pylon_loose_files (id TEXT PRIMARY KEY, doomed INTEGER NOT NULL,"
        " since BIGINT NOT NULL)"
    ),
)
_COLUMNS = "id, user_id, name, content_type, size, sha256, private, created_at"
_BEGIN = "INSERT INTO _pylon_loose_files (id, doomed, since) VALUES (?, 0, ?) RETURNING id"
_SETTLE = "DELETE FROM _pylon_loose_files WHERE id = ? AND doomed = 0 RETURNING id"
_ADD = f"INSERT INTO _pylon_files ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
_GET = f"SELECT {_COLUMNS} FROM _pylon_files WHERE id = ?"
_PAGE = f"SELECT {_COLUMNS} FROM _pylon_files WHERE id > ? ORDER BY id LIMIT ?"
_PAGE_OF_USER = f"SELECT {_COLUMNS} FROM _pylon_files WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?"
_REMOVE = "DELETE FROM _pylon_files WHERE id = ? RETURNING id"
_DOOM = "INSERT INTO _pylon_loose_files (id, doomed, since) VALUES (?, 1, ?) RETURNING id"
_DOOM_BEGUN = "UPDATE _pylon_loose_files SET doomed = 1 WHERE doomed = 0 AND since < ? RETURNING id"
_DOOMED = "SELECT id FROM _pylon_loose_files WHERE doomed = 1 ORDER BY since, id LIMIT ?"
_FORGET = "DELETE FROM _pylon_loose_files WHERE id = ? RETURNING id"


class SqlFileIndex:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def begin(self, file_id: str, now_s: int) -> None:
        self._tables.write(lambda statements: statements.all(_BEGIN, (file_id, now_s)))

    def add(self, file: StoredFile) -> bool:
        def work(statements: Statements) -> bool:
            if statements.one(_SETTLE, (file.id,)) is None:
                return False
            statements.all(_ADD, _columns(file))
            return True

        return self._tables.write(work)

    def get(self, file_id: str) -> StoredFile | None:
        with self._tables.reading() as statements:
            found = statements.one(_GET, (file_id,))
        return None if found is None else _file(found)

    def page(self, user_id: str | None, after: str | None, limit: int) -> Sequence[StoredFile]:
        with self._tables.reading() as statements:
            if user_id is None:
                rows = statements.all(_PAGE, (after or "", limit))
            else:
                rows = statements.all(_PAGE_OF_USER, (user_id, after or "", limit))
        return [_file(columns) for columns in rows]

    def doom(self, file_id: str, now_s: int) -> bool:
        def work(statements: Statements) -> bool:
            if statements.one(_REMOVE, (file_id,)) is None:
                return False
            statements.all(_DOOM, (file_id, now_s))
            return True

        return self._tables.write(work)

    def doom_begun(self, before_s: int) -> None:
        self._tables.write(lambda statements: statements.all(_DOOM_BEGUN, (before_s,)))

    def doomed(self, limit: int) -> Sequence[str]:
        with self._tables.reading() as statements:
            return [str(file_id) for (file_id,) in statements.all(_DOOMED, (limit,))]

    def forget(self, file_id: str) -> None:
        self._tables.write(lambda statements: statements.all(_FORGET, (file_id,)))


def _columns(file: StoredFile) -> Columns:
    return (
        file.id,
        file.user_id,
        file.name,
        file.content_type,
        file.size,
        file.sha256,
        int(file.private),
        file.created_at,
    )


def _file(columns: Columns) -> StoredFile:
    file_id, user_id, name, content_type, size, sha256, private, created_at = columns
    return StoredFile(file_id, user_id, name, content_type, size, sha256, private != 0, created_at)


_: type[FileIndex] = SqlFileIndex
