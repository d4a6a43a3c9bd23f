"""Which fields are secret (design §4, decision 15): ``passwordHash``, every name that starts with ``_``, and on
the user entity what ``auth.user.hide`` lists. Pure; any thread may call it.
"""

from collections.abc import Mapping

from pylon_core.manifest import AppManifest, EntityDef

PASSWORD_HASH = "passwordHash"

SecretFields = Mapping[str, frozenset[str]]
"""The secret fields by entity; entities without any are absent."""


def secret_fields(manifest: AppManifest) -> SecretFields:
    found = {entity.name: _secrets_of(entity, manifest) for entity in manifest.entities}
    return {name: fields for name, fields in found.items() if fields}


def _secrets_of(entity: EntityDef, manifest: AppManifest) -> frozenset[str]:
    user = manifest.auth.user
    hidden = user.hide if entity.name == user.entity else ()
    return frozenset(
        field.name
        for field in entity.fields
        if field.name == PASSWORD_HASH or field.name.startswith("_") or field.name in hidden
    )
