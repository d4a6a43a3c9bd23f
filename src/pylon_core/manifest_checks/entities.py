"""Contract 02 §8.2, first half: the version, entities, their fields and their indexes."""

from collections.abc import Iterator

from pylon_core.manifest import MANIFEST_VERSION, AppManifest, EntityDef, FieldDef, FieldKind
from pylon_core.manifest_checks.findings import Findings, Pass, did_you_mean, error, repeated

_SCALARS = ", ".join(kind for kind in FieldKind if kind is not FieldKind.ID)
FIELD_TYPES_HINT = f"the types are {_SCALARS}, id(<Entity>)"


def _version(manifest: AppManifest) -> Findings:
    if manifest.manifest_version != MANIFEST_VERSION:
        yield error(
            "MANIFEST_VERSION_UNSUPPORTED",
            f"manifest_version is {manifest.manifest_version}; this server understands {MANIFEST_VERSION}.",
        )


def _entities(manifest: AppManifest) -> Findings:
    if not manifest.entities:
        yield error("SCHEMA_EMPTY", "The manifest declares no entities.", "declare at least one entity")
    for position, entity in enumerate(manifest.entities):
        if not entity.name:
            yield error("ENTITY_NAME_EMPTY", f"entities[{position}] has an empty name.")
    for name in repeated(entity.name for entity in manifest.entities):
        yield error("ENTITY_DUPLICATE", f'Entity "{name}" is declared more than once.')


def _fields(manifest: AppManifest) -> Findings:
    for entity in manifest.entities:
        for position, field in enumerate(entity.fields):
            if not field.name:
                yield error("FIELD_NAME_EMPTY", f'Entity "{entity.name}": fields[{position}] has an empty name.')
        for name in repeated(field.name for field in entity.fields):
            yield error("FIELD_DUPLICATE", f'Entity "{entity.name}" declares field "{name}" more than once.')
    for entity in manifest.entities:
        for field in entity.fields:
            if field.kind is None:
                yield error(
                    "FIELD_TYPE_UNKNOWN",
                    f'{entity.name}.{field.name} has the unknown type "{field.type}".',
                    FIELD_TYPES_HINT,
                )


def _id_targets(manifest: AppManifest) -> Findings:
    for owner, field in _declared_fields(manifest):
        target = field.id_target
        if target is not None and manifest.entity(target) is None:
            yield error(
                "FIELD_ID_TARGET_NOT_FOUND",
                f'{owner}.{field.name} refers to entity "{target}", which is not declared.',
                did_you_mean(target, (entity.name for entity in manifest.entities)),
            )


def _declared_fields(manifest: AppManifest) -> Iterator[tuple[str, FieldDef]]:
    """Every field of an entity and of an input, with the name of what declares it."""
    for entity in manifest.entities:
        yield from ((entity.name, field) for field in entity.fields)
    for called in (*manifest.queries, *manifest.actions):
        yield from ((called.name, field) for field in called.input)


def _indexes(manifest: AppManifest) -> Findings:
    for entity in manifest.entities:
        for position, index in enumerate(entity.indexes):
            if not index.name:
                yield error("INDEX_NAME_EMPTY", f'Entity "{entity.name}": indexes[{position}] has an empty name.')
        for name in repeated(index.name for index in entity.indexes):
            yield error("INDEX_NAME_DUPLICATE", f'Entity "{entity.name}" declares index "{name}" more than once.')
        yield from _index_fields(entity)


def _index_fields(entity: EntityDef) -> Findings:
    for index in entity.indexes:
        where = f'Entity "{entity.name}", index "{index.name}"'
        if not index.fields:
            yield error("INDEX_FIELDS_EMPTY", f"{where}: an index needs at least one field.")
        for name in index.fields:
            if entity.field(name) is None:
                yield error(
                    "INDEX_FIELD_NOT_FOUND",
                    f'{where}: field "{name}" is not declared.',
                    "id is always indexed"
                    if name == "id"
                    else did_you_mean(name, (field.name for field in entity.fields)),
                )


PASSES: tuple[Pass, ...] = (_version, _entities, _fields, _id_targets, _indexes)
