"""Names the databases could not keep apart, could not hold, or already use themselves (contract 12 §3).

SQLite ignores the case of table and column names; Postgres cuts names after 63 bytes; both keep tables and
indexes in one namespace. A manifest must mean the same on either, so each rule holds for both.
"""

from collections.abc import Iterator

from pylon_core.manifest import AppManifest, EntityDef, IndexDef
from pylon_core.manifest_checks.findings import Findings, Pass, differing_only_by_case, error, warning

NAME_BYTES_MAX = 63
"""What Postgres keeps of an identifier."""

_ENTITY_PREFIXES = ("_pylon_", "_fts_", "_facet_bitmap", "sqlite_")
# a full-text index is named <Entity>_fts; behind it are tables of SQLite's own, and its rows
_FTS_SUFFIXES = ("_fts", "_fts_data", "_fts_idx", "_fts_content", "_fts_docsize", "_fts_config", "_fts_docs")
# a column of such a name would hide the key that a full-text index finds its rows by
_SQLITE_COLUMNS = frozenset({"rowid", "_rowid_"})
_POSTGRES_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def _entity_names(manifest: AppManifest) -> Findings:
    declared = [entity.name for entity in manifest.entities]
    for name in dict.fromkeys(declared):
        yield from _identifier("Entity", name)
        lowered = name.lower()
        if lowered.startswith(_ENTITY_PREFIXES) or lowered.endswith(_FTS_SUFFIXES):
            yield error("ENTITY_NAME_RESERVED", f'Entity "{name}": the server keeps tables of such names itself.')
        elif name.startswith("_"):
            yield warning(
                "ENTITY_NAME_UNDERSCORE",
                f'Entity "{name}": names that begin with "_" are reserved for the server.',
                "a later version may refuse it",
            )
    for group in differing_only_by_case(declared):
        yield error("ENTITY_CASE_COLLISION", f"Entities {_listed(group)} differ only by case.")


def _field_names(manifest: AppManifest) -> Findings:
    for entity in manifest.entities:
        declared = [field.name for field in entity.fields]
        for name in dict.fromkeys(declared):
            yield from _identifier(f'Entity "{entity.name}", field', name)
            yield from _reserved_field(f"{entity.name}.{name}", name)
        for group in differing_only_by_case(declared):
            fields = _listed(group)
            yield error("FIELD_CASE_COLLISION", f'Entity "{entity.name}": fields {fields} differ only by case.')


def _reserved_field(where: str, name: str) -> Findings:
    if name.lower() == "id":
        yield error("FIELD_NAME_RESERVED", f'{where}: every row has an "id" already.', "remove the field")
    elif name.lower() in _SQLITE_COLUMNS:
        yield error("FIELD_NAME_RESERVED", f"{where}: SQLite uses this name itself.", "rename the field")
    elif name.startswith("$"):
        yield error("FIELD_NAME_RESERVED", f'{where}: in a filter, "$" begins an operator.', "rename the field")
    elif name in _POSTGRES_COLUMNS:
        yield warning("FIELD_NAME_NOT_PORTABLE", f"{where}: Postgres uses this name itself.", "rename the field")


def _index_names(manifest: AppManifest) -> Findings:
    taken = {name.lower(): owner for entity in manifest.entities for name, owner in _made_for(entity)}
    for entity in manifest.entities:
        for index in entity.indexes:
            if index.name:
                yield from _index_name(entity, index, taken)


def _index_name(entity: EntityDef, index: IndexDef, taken: dict[str, str]) -> Findings:
    """``taken`` says what each database name in use, in lower case, belongs to; the index is added to it."""
    name, owner = f"{entity.name}_{index.name}", f'index "{index.name}" of entity "{entity.name}"'
    yield from _identifier("The name of an index in the database,", name)
    other = taken.setdefault(name.lower(), owner)
    if other != owner:
        yield error(
            "INDEX_NAME_COLLISION",
            f'The {owner} and the {other} would both be called "{name}" in the database.',
            "rename the index",
        )


def _made_for(entity: EntityDef) -> Iterator[tuple[str, str]]:
    """What a database holds for an entity beside its declared indexes: each thing's name, and what it is."""
    name = entity.name
    yield name, f'table of entity "{name}"'
    yield f"{name}_pkey", f'primary key of entity "{name}"'
    for suffix in (*_FTS_SUFFIXES, "_fts_gin"):
        yield name + suffix, f'full-text index of entity "{name}"'
    for field in entity.fields:
        if field.unique:
            yield f"{name}_{field.name}_key", f"unique key of {name}.{field.name}"
    if entity.search is not None:
        for kind, fields in (("facet", entity.search.facets), ("sort", entity.search.sortable)):
            for field_name in fields:
                yield f"{name}_{kind}_{field_name}", f"{kind} index of {name}.{field_name}"


def _identifier(what: str, name: str) -> Findings:
    if len(name.encode()) > NAME_BYTES_MAX:
        yield error("NAME_TOO_LONG", f'{what} "{name}" is longer than {NAME_BYTES_MAX} bytes.', "shorten it")
    if not name.isprintable():
        yield error("NAME_INVALID", f"{what} {name!r} holds a character that cannot be printed.")


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


PASSES: tuple[Pass, ...] = (_entity_names, _field_names, _index_names)
