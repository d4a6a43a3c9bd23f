"""Relations of the manifest as queries and links use them: which row's which field holds the other's id. Pure."""

from typing import NamedTuple

from pylon_core.manifest import TEXT_KINDS, AppManifest, RelationDef
from pylon_http.errors import DataError


def find_relation(manifest: AppManifest, entity: str, name: str) -> RelationDef:
    """Raises DataError ENTITY_NOT_FOUND, RELATION_NOT_FOUND."""
    declared = manifest.entity(entity)
    if declared is None:
        raise DataError("ENTITY_NOT_FOUND", f"There is no entity {entity!r}.")
    relation = declared.relation(name)
    if relation is None:
        raise unknown_relation(entity, name)
    return relation


def unknown_relation(entity: str, name: str) -> DataError:
    return DataError("RELATION_NOT_FOUND", f"{entity} has no relation {name!r}.")


def holder(entity: str, relation: RelationDef) -> str:
    """The entity whose rows hold the ids."""
    return relation.target if relation.many else entity


def holds_ids(manifest: AppManifest, entity: str, relation: RelationDef) -> bool:
    """Whether the field is one of text; no other could equal an id."""
    declared = manifest.entity(holder(entity, relation))
    field = None if declared is None else declared.field(relation.field)
    return field is not None and field.kind in TEXT_KINDS


class Reference(NamedTuple):
    """The field that links two rows, and the id it holds while they are linked."""

    entity: str
    row_id: str
    field: str
    target_id: str


def reference(entity: str, row_id: str, relation: RelationDef, target_id: str) -> Reference:
    """``row_id`` is on the side that declares the relation, ``target_id`` on the other."""
    if relation.many:
        return Reference(relation.target, target_id, relation.field, row_id)
    return Reference(entity, row_id, relation.field, target_id)
