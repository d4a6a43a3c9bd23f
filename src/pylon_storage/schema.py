"""What a database lacks of its manifest, as statements that only add (contract 13 has the rest).

Pure: the caller reads which columns exist and runs what comes back.
"""

from collections.abc import Mapping

from pylon_core.manifest import AppManifest, EntityDef, FieldDef
from pylon_http import DataError
from pylon_storage import sql
from pylon_storage.dialect import Dialect

Columns = Mapping[str, str]
"""A table's columns and the type each has, spelled as the dialect declares it."""


def additions(manifest: AppManifest, existing: Mapping[str, Columns], dialect: Dialect) -> list[str]:
    """Statements that create missing tables, columns and indexes; ``existing`` has what is there, by table.

    Raises DataError SCHEMA_INIT_FAILED for a field whose column was made for another type: what is stored there
    would no longer be what was written.
    """
    statements: list[str] = []
    for entity in manifest.entities:
        columns = existing.get(entity.name)
        if columns is None:
            statements.append(sql.create_table(entity, dialect))
        else:
            statements.extend(_missing_columns(entity, columns, dialect))
        statements.extend(sql.create_index(entity, index, dialect) for index in entity.indexes)
    return statements


def log_additions(existing: Mapping[str, Columns], binary: str) -> list[str]:
    """What the change log of an older database lacks."""
    if "delta" in existing.get("_pylon_changes", {"delta": binary}):
        return []
    return [f"ALTER TABLE _pylon_changes ADD COLUMN delta {binary}"]


def _missing_columns(entity: EntityDef, columns: Columns, dialect: Dialect) -> list[str]:
    statements: list[str] = []
    for field in entity.fields:
        if field.name in columns:
            _check_type(entity, field, columns[field.name], dialect)
            continue
        statements.append(sql.add_column(entity, field, dialect))
        if field.unique:
            statements.append(sql.create_unique_column_index(entity, field))
    return statements


def _check_type(entity: EntityDef, field: FieldDef, declared: str, dialect: Dialect) -> None:
    if sql.column_type(field, dialect) != declared:
        raise DataError(
            "SCHEMA_INIT_FAILED",
            f"{entity.name}.{field.name} is {field.type} in the manifest, but its column has another type.",
            hint="Give the field its old type back, or another name.",
        )
