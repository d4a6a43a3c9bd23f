"""Declarations that point at fields and entities: relations, search, CRDT annotations, the user entity."""

from collections.abc import Mapping

from pylon_core.manifest import AppManifest, CrdtKind, EntityDef, FieldDef, FieldKind, RelationDef
from pylon_core.manifest_checks.findings import Findings, Pass, did_you_mean, error, repeated, warning
from pylon_core.secret_fields import secret_fields

_TEXT = frozenset({FieldKind.STRING, FieldKind.RICHTEXT})
_NUMBERS = frozenset({FieldKind.INT, FieldKind.FLOAT})
# long texts do not fit an index entry, and collaborative text is no value to count or sort by
_VALUES = frozenset(FieldKind) - {FieldKind.RICHTEXT}

_CRDT_TYPES: Mapping[CrdtKind, frozenset[FieldKind]] = {"text": _TEXT, "counter": _NUMBERS}

_DEFAULT_USER_ENTITY = "User"

# fmt: off
STEMMED_LANGUAGES = frozenset({
    "arabic", "armenian", "basque", "catalan", "czech", "danish", "dutch", "dutch_porter", "english",
    "esperanto", "estonian", "finnish", "french", "german", "greek", "hindi", "hungarian", "indonesian",
    "irish", "italian", "lithuanian", "nepali", "norwegian", "persian", "polish", "porter", "portuguese",
    "romanian", "russian", "serbian", "sesotho", "spanish", "swedish", "tamil", "turkish", "yiddish",
})
# fmt: on
"""The languages whose words search knows by their stems."""


def _relations(manifest: AppManifest) -> Findings:
    for entity in manifest.entities:
        for position, relation in enumerate(entity.relations):
            if not relation.name:
                yield error(
                    "RELATION_NAME_EMPTY", f'Entity "{entity.name}": relations[{position}] has an empty name.'
                )
        for name in repeated(relation.name for relation in entity.relations):
            yield error("RELATION_DUPLICATE", f'Entity "{entity.name}" declares relation "{name}" more than once.')
        for relation in entity.relations:
            yield from _relation(manifest, entity, relation)


def _relation(manifest: AppManifest, entity: EntityDef, relation: RelationDef) -> Findings:
    where = f'Entity "{entity.name}", relation "{relation.name}"'
    target = manifest.entity(relation.target)
    if target is None:
        yield error(
            "RELATION_TARGET_NOT_FOUND",
            f'{where}: entity "{relation.target}" is not declared.',
            did_you_mean(relation.target, (declared.name for declared in manifest.entities)),
        )
    holder = target if relation.many else entity
    if holder is not None and holder.field(relation.field) is None:
        yield error(
            "RELATION_FIELD_NOT_FOUND",
            f'{where}: entity "{holder.name}" has no field "{relation.field}".',
            f'with many, the field is the one of "{holder.name}" that holds the id of its "{entity.name}"'
            if relation.many
            else did_you_mean(relation.field, (field.name for field in entity.fields)),
        )
    if relation.name == "id" or entity.field(relation.name) is not None:
        yield warning("RELATION_HIDES_FIELD", f"{where}: a row that includes it has no field of that name.")


def _search(manifest: AppManifest) -> Findings:
    secrets = secret_fields(manifest)
    for entity in manifest.entities:
        if entity.search is None:
            continue
        uses = (
            ("text", entity.search.text, _TEXT),
            ("facets", entity.search.facets, _VALUES),
            ("sortable", entity.search.sortable, _VALUES),
        )
        for use, names, allowed in uses:
            yield from _search_list(entity, use, names, allowed)
            yield from _search_secrets(entity, use, secrets.get(entity.name, frozenset()) & set(names))
        yield from _search_language(entity, entity.search.language)


def _search_secrets(entity: EntityDef, use: str, secret: frozenset[str]) -> Findings:
    for name in sorted(secret):
        yield error(
            "SEARCH_FIELD_SECRET",
            f'Entity "{entity.name}", search.{use}: field "{name}" is secret, and a search would give it away.',
            "leave it out",
        )


def _search_language(entity: EntityDef, language: str | None) -> Findings:
    if language is not None and language.lower() not in STEMMED_LANGUAGES:
        yield warning(
            "SEARCH_LANGUAGE_UNKNOWN",
            f'Entity "{entity.name}", search.language: no stemmer is called "{language}", so none is used.',
            did_you_mean(language.lower(), sorted(STEMMED_LANGUAGES)),
        )


def _search_list(entity: EntityDef, use: str, names: tuple[str, ...], allowed: frozenset[FieldKind]) -> Findings:
    where = f'Entity "{entity.name}", search.{use}'
    for name in repeated(names):
        yield error("SEARCH_FIELD_DUPLICATE", f'{where} lists field "{name}" more than once.')
    for name in dict.fromkeys(names):
        field = entity.field(name)
        if field is None:
            yield error(
                "SEARCH_FIELD_NOT_FOUND",
                f'{where}: field "{name}" is not declared.',
                did_you_mean(name, (field.name for field in entity.fields)),
            )
        elif field.is_collection or (field.kind is not None and field.kind not in allowed):
            yield error(
                "SEARCH_FIELD_TYPE",
                f'{where}: field "{name}" has the type {field.crdt if field.is_collection else field.type}.',
                "allowed are " + ", ".join(kind for kind in FieldKind if kind in allowed),
            )


def _crdt_annotations(manifest: AppManifest) -> Findings:
    for entity in manifest.entities:
        if entity.crdt:
            for field in entity.fields:
                yield from _crdt_annotation(entity, field)


def _crdt_annotation(entity: EntityDef, field: FieldDef) -> Findings:
    if field.kind is None:
        return
    where = f"{entity.name}.{field.name}"
    allowed = None if field.crdt is None else _CRDT_TYPES.get(field.crdt)
    if allowed is not None and field.kind not in allowed:
        yield error(
            "INVALID_CRDT_FIELD",
            f'{where}: a field of type {field.type} cannot be the CRDT "{field.crdt}".',
            f'"{field.crdt}" is for ' + ", ".join(sorted(allowed)),
        )
    elif field.crdt_kind != "lww" and "/" in field.name:
        yield error(
            "INVALID_CRDT_FIELD",
            f'{where}: a collaborative document has no place for a {field.crdt_kind} with "/" in its name.',
            'rename the field, or annotate it with the CRDT "lww"',
        )


def _user_entity(manifest: AppManifest) -> Findings:
    user = manifest.auth.user
    entity = manifest.entity(user.entity)
    if entity is None:
        if user.entity != _DEFAULT_USER_ENTITY:
            yield warning(
                "AUTH_USER_ENTITY_NOT_FOUND",
                f'auth.user.entity "{user.entity}" is not declared, so signing in has nowhere to keep a user.',
                did_you_mean(user.entity, (declared.name for declared in manifest.entities))
                or "declare the entity, or name another one",
            )
        return
    for use, names in (("expose", user.expose), ("hide", user.hide)):
        for name in names:
            if name != "id" and entity.field(name) is None:
                yield warning(
                    "AUTH_USER_FIELD_NOT_FOUND",
                    f'auth.user.{use}: entity "{entity.name}" has no field "{name}".',
                    did_you_mean(name, (field.name for field in entity.fields)),
                )


PASSES: tuple[Pass, ...] = (_relations, _search, _crdt_annotations, _user_entity)
