"""Bringing the search of a database up to the manifest when a store opens, in the same transaction as its tables.

``_pylon_meta`` remembers per entity what its text index was built for, and which indexes serve its facets and
sorts. A text index that is missing, or was built for something else, is built anew from the rows there are, some
at a time; what the manifest no longer asks for is dropped.
"""

from collections.abc import Mapping

import msgspec

from pylon_core import jsontext
from pylon_core.manifest import AppManifest, EntityDef, SearchDef
from pylon_http import DataError
from pylon_storage import sql
from pylon_storage.dialect import Dialect
from pylon_storage.search.index import MakeIndex, StoredTextIndex
from pylon_storage.statements import Statements

BATCH_ROWS = 500

_PREFIX = "search:"


class _Built(msgspec.Struct, frozen=True):
    """``text`` is the fingerprint of the text index, ``None`` without one; ``indexes`` are names."""

    text: str | None = None
    indexes: tuple[str, ...] = ()


_NOTHING = _Built()
_decoder = msgspec.json.Decoder(_Built)


def prepare(statements: Statements, manifest: AppManifest, dialect: Dialect, make: MakeIndex) -> None:
    """Raises DataError SCHEMA_INIT_FAILED. The entities' tables are there, and so is ``_pylon_meta``."""
    built = _remembered(statements)
    for entity in manifest.entities:
        _bring_up(statements, entity, built.pop(entity.name, _NOTHING), dialect, make)
    for name, leftover in built.items():
        _drop(statements, name, leftover, make)
        _remember(statements, name, _NOTHING)


def _bring_up(statements: Statements, entity: EntityDef, built: _Built, dialect: Dialect, make: MakeIndex) -> None:
    search = entity.search or SearchDef()
    index = make(entity.name, search) if search.text else None
    indexes = _field_indexes(entity, search)
    wanted = _Built(None if index is None else index.fingerprint, tuple(indexes))
    if wanted == built:
        return
    try:
        for name in built.indexes:
            if name not in indexes:
                statements.all(f"DROP INDEX IF EXISTS {sql.quote(name)}")
        for name, field in indexes.items():
            statements.all(_create_index(entity, name, field, dialect))
        if wanted.text != built.text:
            make(entity.name, SearchDef()).drop(statements)
            if index is not None:
                _build(statements, entity, index)
    except DataError as error:
        raise DataError("SCHEMA_INIT_FAILED", f"The search of {entity.name} could not be set up.") from error
    _remember(statements, entity.name, wanted)


def _build(statements: Statements, entity: EntityDef, index: StoredTextIndex) -> None:
    index.create(statements)
    columns = ("id", *index.fields)
    select = sql.select(entity.name, columns)
    batch = statements.all(f'{select} ORDER BY "id" LIMIT {BATCH_ROWS}')
    while batch:
        index.add_all(statements, [dict(zip(columns, values, strict=True)) for values in batch])
        batch = statements.all(f'{select} WHERE "id" > ? ORDER BY "id" LIMIT {BATCH_ROWS}', (batch[-1][0],))


def _drop(statements: Statements, entity: str, built: _Built, make: MakeIndex) -> None:
    for name in built.indexes:
        statements.all(f"DROP INDEX IF EXISTS {sql.quote(name)}")
    if built.text is not None:
        make(entity, SearchDef()).drop(statements)


def _field_indexes(entity: EntityDef, search: SearchDef) -> Mapping[str, str]:
    """The fields to index, by name of the index. One serves a field that is both facet and sortable."""
    facets = {sql.object_name(entity.name, f"facet_{field}"): field for field in search.facets}
    sorts = [field for field in search.sortable if field not in search.facets]
    return facets | {sql.object_name(entity.name, f"sort_{field}"): field for field in sorts}


def _create_index(entity: EntityDef, name: str, field: str, dialect: Dialect) -> str:
    key = sql.index_key(entity, field, dialect)
    return f'CREATE INDEX IF NOT EXISTS {sql.quote(name)} ON {sql.quote(entity.name)} ({key}, "id")'


def _remembered(statements: Statements) -> dict[str, _Built]:
    """By entity."""
    found = statements.all(
        f"SELECT key, value FROM _pylon_meta WHERE substr(key, 1, {len(_PREFIX)}) = '{_PREFIX}' ORDER BY key"
    )
    return {str(key).removeprefix(_PREFIX): _decoder.decode(value) for key, value in found}


def _remember(statements: Statements, entity: str, built: _Built) -> None:
    key = _PREFIX + entity
    if built == _NOTHING:
        statements.all("DELETE FROM _pylon_meta WHERE key = ?", (key,))
        return
    statements.all(
        "INSERT INTO _pylon_meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, jsontext.encode(built).decode()),
    )
