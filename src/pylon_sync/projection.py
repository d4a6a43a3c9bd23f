"""Leaving out of a row what may not leave the server, for every route and every event alike. Pure; any thread may
call it.
"""

from collections.abc import Mapping
from typing import Any

from pylon_core.secret_fields import SecretFields


class RowProjection:
    """Leaves out an entity's secret fields; a row of an entity without any is passed on as it is."""

    def __init__(self, secrets: SecretFields) -> None:
        self._secrets = secrets

    def __call__(self, entity: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        secret = self._secrets.get(entity)
        if secret is None:
            return row
        return {field: value for field, value in row.items() if field not in secret}
