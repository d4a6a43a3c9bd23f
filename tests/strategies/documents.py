"""Manifest documents written by hand: each builder has sound defaults, so a test shows only what it is about."""

from typing import Any

Document = dict[str, Any]


def app(**members: Any) -> Document:
    """A manifest with one entity, ``Note``."""
    sound = {"manifest_version": 1, "name": "notes", "version": "0.1.0", "entities": [entity()], "routes": []}
    return {**sound, **members}


def entity(name: str = "Note", **members: Any) -> Document:
    """An entity with one field, ``title``."""
    return {"name": name, "fields": [field()], "indexes": [], **members}


def field(name: str = "title", type_: str = "string", **members: Any) -> Document:
    return {"name": name, "type": type_, "optional": False, "unique": False, **members}


def index(name: str = "by_title", fields: tuple[str, ...] = ("title",)) -> Document:
    return {"name": name, "fields": list(fields), "unique": False}


def relation(name: str = "owner", target: str = "Note", field: str = "ownerId", **members: Any) -> Document:
    return {"name": name, "target": target, "field": field, **members}


def route(path: str = "/", **members: Any) -> Document:
    return {"path": path, "mode": "server", **members}


def policy(name: str = "open", **members: Any) -> Document:
    return {"name": name, "allow": "true", **members}


def schedule(name: str = "nightly", **members: Any) -> Document:
    return {"name": name, "cron": "0 3 * * *", "function": "clean", **members}


def notes_app() -> Document:
    """The complete example of contract 02 §3."""
    owned = "auth.userId == data.ownerId"
    return {
        "manifest_version": 1,
        "name": "notes",
        "version": "0.1.0",
        "entities": [
            entity("User", fields=[field("email", unique=True)]),
            entity(
                "Note",
                fields=[
                    field("ownerId", "id(User)"),
                    field("body", "richtext", optional=True),
                    field("done", "bool"),
                ],
                indexes=[index("by_owner", ("ownerId",))],
                relations=[relation("owner", "User", "ownerId")],
                search={"text": ["body"], "facets": ["done"], "sortable": []},
            ),
        ],
        "routes": [],
        "queries": [],
        "actions": [],
        "policies": [{"name": "note_owner", "entity": "Note", "allowRead": owned, "allowWrite": owned}],
        "auth": {
            "user": {"entity": "User", "expose": [], "hide": []},
            "session": {
                "expires_in": 2592000,
                "cookie_cache": {"enabled": False, "max_age": 300, "claims": ["is_admin", "tenant_id"]},
            },
            "trusted_origins": [],
        },
    }
