"""Tenant rules: rows of an entity that declares ``tenantId`` or ``tenant_id`` belong to a tenant (contract 04 §6).

A caller writes rows of the tenant it acts for and of no other, whatever the policies say; the administrator and
functions write any. Whom a row is shown to is for the read policy alone. Pure.
"""

from collections.abc import Mapping
from typing import Any

from pylon_auth import AuthContext
from pylon_core.manifest import EntityDef, FieldDef, FieldKind

TENANT_FIELDS = ("tenantId", "tenant_id")
"""The first of them that an entity declares as a text says whose its rows are."""

TENANT_RULE = "tenant"
"""The log's name for a refusal by these rules."""


def tenant_field(entity: EntityDef) -> str | None:
    for name in TENANT_FIELDS:
        if may_hold_tenant(entity.field(name)):
            return name
    return None


def may_hold_tenant(field: FieldDef | None) -> bool:
    """Whether there is such a field, and a tenant's id fits it."""
    return field is not None and field.kind in (FieldKind.STRING, FieldKind.ID)


def stamped(entity: EntityDef, auth: AuthContext, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """New data with the caller's tenant in it when it names none."""
    field = tenant_field(entity)
    if field is None or auth.is_admin or auth.tenant_id is None or data.get(field) not in (None, ""):
        return data
    return {**data, field: auth.tenant_id}


def is_own(entity: EntityDef, auth: AuthContext, row: Mapping[str, Any]) -> bool:
    """Whether the caller may write the row as far as tenants go."""
    field = tenant_field(entity)
    if field is None or auth.is_admin:
        return True
    return bool(auth.tenant_id) and row.get(field) == auth.tenant_id
