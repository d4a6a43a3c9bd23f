"""Who may read what in the world of the convergence tests, twice: as policies, and as plain Python.

The oracle shares no code with the policy engine. At each *turn* every entity takes over the read rule of the next
one, so a restart with other rules moves what everybody may see.
"""

from collections.abc import Callable

from pylon_auth import AuthContext
from pylon_http import Row
from tests.strategies.documents import Document, app, entity
from tests.support.data_api import SIGNED_IN, optional, rules

Readable = Callable[[AuthContext, Row], bool]


def _owns(auth: AuthContext, row: Row) -> bool:
    return auth.user_id is not None and auth.user_id == row["ownerId"]


READ_RULES: dict[str, tuple[str, Readable]] = {
    "Owned": (
        "auth.userId == data.ownerId",
        _owns,
    ),
    "Shared": (
        "auth.tenantId == data.tenantId",
        lambda auth, row: auth.tenant_id is not None and auth.tenant_id == row["tenantId"],
    ),
    "Article": (
        "data.published == true || data.ownerId == auth.userId",
        lambda auth, row: (
            row["published"] is True or (row["ownerId"] is not None and row["ownerId"] == auth.user_id)
        ),
    ),
    "Memo": (
        "auth.hasRole('editor') || !(data.published == true) && auth.userId != null",
        lambda auth, row: "editor" in auth.roles or (row["published"] is not True and auth.user_id is not None),
    ),
    "Ranked": (
        "data.rank > 2 && auth.tenantId != data.tenantId",
        # Two missing tenants do not differ; one that is missing differs from one that is there.
        lambda auth, row: row["rank"] is not None and row["rank"] > 2 and auth.tenant_id != row["tenantId"],
    ),
    "Sealed": ("false", lambda auth, row: False),
}
ENTITIES = sorted(READ_RULES)
TENANTS = (None, "acme", "umbra")


def rule_of(entity_name: str, turn: int) -> tuple[str, Readable]:
    return READ_RULES[ENTITIES[(ENTITIES.index(entity_name) + turn) % len(ENTITIES)]]


def may_read(auth: AuthContext, entity_name: str, row: Row, turn: int) -> bool:
    return auth.is_admin or rule_of(entity_name, turn)[1](auth, row)


def document(turn: int) -> Document:
    """The app's manifest."""
    return app(
        entities=[
            entity(
                name,
                fields=[
                    optional("ownerId"),
                    optional("tenantId"),
                    optional("published", "bool"),
                    optional("rank", "int"),
                    optional("title"),
                    optional("body", "richtext"),
                ],
            )
            for name in ENTITIES
        ],
        policies=[rules(name, allowRead=rule_of(name, turn)[0], allowWrite=SIGNED_IN) for name in ENTITIES],
    )
