"""Which fields never leave the server."""

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_core.secret_fields import secret_fields
from pylon_sync.projection import RowProjection
from tests.strategies.documents import app, entity, field

MANIFEST = parse_manifest(
    jsontext.encode(
        app(
            entities=[
                entity("Account", fields=[field("email"), field("passwordHash"), field("phone")]),
                entity("Note", fields=[field("title"), field("phone")]),
                entity("Job", fields=[field("_state"), field("a_b")]),
            ],
            auth={"user": {"entity": "Account", "hide": ["phone", "nope"]}},
        )
    )
)


def test_secret_are_password_hashes_underscored_names_and_what_the_user_entity_hides() -> None:
    assert secret_fields(MANIFEST) == {
        "Account": frozenset({"passwordHash", "phone"}),
        "Job": frozenset({"_state"}),
    }


def test_a_projection_leaves_the_secrets_out() -> None:
    project = RowProjection(secret_fields(MANIFEST))

    assert project("Job", {"id": "j1", "_state": "x", "a_b": "y"}) == {"id": "j1", "a_b": "y"}


def test_a_row_without_secrets_is_not_copied() -> None:
    row = {"id": "n1", "title": "A", "phone": "5"}

    assert RowProjection(secret_fields(MANIFEST))("Note", row) is row
