"""Which fields of a row may leave the server, for every route and every event alike (design §4, decision 15).

Secret are ``passwordHash``, every name that starts with ``_``, and on the user entity what ``auth.user.hide``
lists. Pure; any thread may call it.
"""

from collections.abc import Mapping
from typing import Any

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


class RowProjection:
    """Leaves out an entity's secret fields; a row of an entity without any is passed on as it is."""

    def __init__(self, secrets: SecretFields) -> None:
        self._secrets = secrets

    def __call__(self, entity: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        secret = self._secrets.get(entity)
        if secret is None:
            return row
        return {field: value for field, value in row.items() if field not in secret}
