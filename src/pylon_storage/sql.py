"""SQL text of tables and rows as pure functions. No connection is known here.

Text is written once for both engines: identifiers double-quoted, values always bound as ``?``.
"""

import hashlib
from collections.abc import Iterable

from pylon_core.manifest import EntityDef, FieldDef, FieldKind, IndexDef
from pylon_core.manifest_checks.names import NAME_BYTES_MAX
from pylon_storage.dialect import Dialect


def quote(name: str) -> str:
    """An identifier in double quotes."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def object_name(entity: str, suffix: str) -> str:
    """The name of an index or a table beside an entity's table, within what Postgres keeps of a name: it would cut
    off the rest, and two could become one. The manifest's checks keep the names free."""
    name = f"{entity}_{suffix}"
    encoded = name.encode()
    if len(encoded) <= NAME_BYTES_MAX:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f"{encoded[: NAME_BYTES_MAX - 17].decode(errors='ignore')}_{digest}"


def column_type(field: FieldDef, dialect: Dialect) -> str:
    """An array is JSON text."""
    return dialect.column_types[FieldKind.STRING if field.is_collection else field.kind or FieldKind.STRING]


def create_table(entity: EntityDef, dialect: Dialect) -> str:
    columns = [
        f'"id" {dialect.column_types[FieldKind.ID]} PRIMARY KEY NOT NULL',
        *(column_definition(field, dialect) for field in entity.fields),
    ]
    return f"CREATE TABLE {quote(entity.name)} ({', '.join(columns)})"


def column_definition(field: FieldDef, dialect: Dialect) -> str:
    required = "" if field.optional else " NOT NULL"
    unique = " UNIQUE" if field.unique else ""
    return f"{quote(field.name)} {column_type(field, dialect)}{required}{unique}"


def add_column(entity: EntityDef, field: FieldDef, dialect: Dialect) -> str:
    """A column for a table that may hold rows already: nullable even when the manifest requires it."""
    return f"ALTER TABLE {quote(entity.name)} ADD COLUMN {quote(field.name)} {column_type(field, dialect)}"


def create_unique_column_index(entity: EntityDef, field: FieldDef) -> str:
    """What ADD COLUMN cannot say: uniqueness of a column that came later.

    Under the name that the manifest's checks keep free for it; a name that is taken all the same must be an error.
    """
    name = quote(object_name(entity.name, f"{field.name}_key"))
    return f"CREATE UNIQUE INDEX {name} ON {quote(entity.name)} ({quote(field.name)})"


def create_index(entity: EntityDef, index: IndexDef, dialect: Dialect) -> str:
    """An index of the manifest. One that is not unique ends in ``id``, the order of every page: a list of one
    owner's rows is then read off the index instead of being sorted."""
    unique = "UNIQUE " if index.unique else ""
    name = quote(object_name(entity.name, index.name))
    keys = [index_key(entity, field, dialect) for field in index.fields]
    columns = ", ".join([*keys, *(() if index.unique else ('"id"',))])
    return f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {quote(entity.name)} ({columns})"


def index_key(entity: EntityDef, name: str, dialect: Dialect) -> str:
    field = entity.field(name)
    return dialect.index_key(quote(name), nullable=field is not None and field.optional)


def select(entity: str, columns: Iterable[str]) -> str:
    return f"SELECT {', '.join(quote(column) for column in columns)} FROM {quote(entity)}"
