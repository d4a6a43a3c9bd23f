"""What a database lacks of its manifest, as statements that only add (contract 13 has the rest).

Pure: the caller reads which columns exist and runs what comes back.
"""

from collections.abc import Mapping

from pylon_core.manifest import AppManifest, EntityDef
from pylon_storage import sql


def additions(manifest: AppManifest, existing: Mapping[str, frozenset[str]]) -> list[str]:
    """Statements that create missing tables, columns and indexes; ``existing`` maps each table to its columns."""
    statements: list[str] = []
    for entity in manifest.entities:
        columns = existing.get(entity.name)
        if columns is None:
            statements.append(sql.create_table(entity))
        else:
            statements.extend(_missing_columns(entity, columns))
        statements.extend(sql.create_index(entity, index) for index in entity.indexes)
    return statements


def _missing_columns(entity: EntityDef, columns: frozenset[str]) -> list[str]:
    statements: list[str] = []
    for field in entity.fields:
        if field.name in columns:
            continue
        statements.append(sql.add_column(entity, field))
        if field.unique:
            statements.append(sql.create_unique_column_index(entity, field))
    return statements
