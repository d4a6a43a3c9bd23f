"""An app of related entities, for the routes that follow relations: projects with tasks and members."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pylon_core.clock import SystemClock
from pylon_http import DataStore
from pylon_storage import NoFaults
from pylon_storage.postgres import PostgresStore
from tests.strategies.documents import Document, app, entity, field, relation
from tests.support.data_api import SIGNED_IN, DataApi, optional, rules, watched_fields
from tests.support.postgres import fresh_database

OWN_OR_PUBLIC = "auth.userId == data.ownerId || data.public == true"

RELATED: Document = app(
    name="related",
    entities=[
        entity(
            "Project",
            fields=[
                optional("ownerId"),
                field("title"),
                optional("public", "bool"),
                optional("orgId"),
                optional("budget", "int"),
                optional("leadId", "id(Person)"),
                optional("vaultId", "id(Vault)"),
                optional("_auditId", "id(Person)"),
            ],
            relations=[
                relation("lead", "Person", "leadId"),
                relation("tasks", "Task", "projectId", many=True),
                relation("vault", "Vault", "vaultId"),
                relation("notes", "Vault", "projectId", many=True),
                relation("audit", "Person", "_auditId"),
                relation("numbered", "Person", "budget"),
                relation("ranked", "Task", "rank", many=True),
            ],
        ),
        entity(
            "Task",
            fields=[
                field("title"),
                optional("ownerId"),
                optional("public", "bool"),
                optional("projectId", "id(Project)"),
                optional("rank", "int"),
                field("authorId", "id(Person)"),
            ],
            relations=[
                relation("project", "Project", "projectId"),
                relation("author", "Person", "authorId"),
            ],
        ),
        entity(
            "Person",
            fields=[field("name"), optional("passwordHash"), optional("_flags")],
            relations=[
                relation("leads", "Project", "leadId", many=True),
                relation("wrote", "Task", "authorId", many=True),
                relation("audits", "Project", "_auditId", many=True),
            ],
        ),
        entity("Vault", fields=[field("title"), optional("projectId", "id(Project)")]),
    ],
    policies=[
        rules("Project", allowRead=OWN_OR_PUBLIC, allowWrite="auth.userId == data.ownerId"),
        rules("Task", allowRead=OWN_OR_PUBLIC, allowWrite="auth.userId == data.ownerId"),
        rules("Person", allowRead=SIGNED_IN, allowWrite="false"),
        rules("Vault", allow="false"),
    ],
)
"""Projects and tasks are their owner's and may be public; signed-in callers see people; nobody sees a vault."""


def _on_postgres(api: DataApi) -> DataStore:
    return PostgresStore(
        fresh_database(),
        api.manifest,
        watched=watched_fields(api.manifest, api.policies),
        visibility=api.policies.fingerprint,
        clock=SystemClock(),
        faults=NoFaults(),
    )


ENGINES: dict[str, Callable[[DataApi], DataStore]] = {"sqlite": lambda api: api.store, "postgres": _on_postgres}


@contextmanager
def related_api(engine: str) -> Iterator[DataApi]:
    """The app on one of the engines; its rows are in ``ctx.store``."""
    api = DataApi(RELATED)
    store = ENGINES[engine](api)
    api.reconfigure(store=store)
    try:
        yield api
    finally:
        store.close()
        api.store.close()
