"""Whether a manifest's declarations make sense together: every finding at once, never just the first.

Pure and stateless. The passes run in the order of contract 02 §8.2, whose codes come first; the passes after them
report what the reference lets through to fail at first use. The syntax of policy expressions is checked a floor
above, by ``pylon_policy``.

Codes beyond the contract, errors:

- ENTITY_NAME_RESERVED, ENTITY_CASE_COLLISION, FIELD_NAME_RESERVED, FIELD_CASE_COLLISION: the name is, or reads to
  SQLite like, one that is already taken
- NAME_INVALID, NAME_TOO_LONG: an entity, field or index no database could hold under that name
- INDEX_NAME_COLLISION: its database name ``<Entity>_<index>`` is also that of something else
- RELATION_NAME_EMPTY, RELATION_DUPLICATE, RELATION_TARGET_NOT_FOUND, RELATION_FIELD_NOT_FOUND
- SEARCH_FIELD_NOT_FOUND, SEARCH_FIELD_DUPLICATE, SEARCH_FIELD_TYPE, SEARCH_FIELD_SECRET
- INVALID_CRDT_FIELD: a CRDT annotation its field's type or name cannot carry
- SCHEDULE_NAME_EMPTY, SCHEDULE_NAME_INVALID, SCHEDULE_DUPLICATE, SCHEDULE_FUNCTION_EMPTY,
  SCHEDULE_FUNCTION_INVALID; SCHEDULE_NAME_RESERVED: the server has tasks of such names itself;
  SCHEDULE_CRON_INVALID, SCHEDULE_TIMEZONE_UNKNOWN

Codes beyond the contract, warnings:

- ENTITY_NAME_UNDERSCORE, FIELD_NAME_NOT_PORTABLE: works today, may not tomorrow or on Postgres
- RELATION_HIDES_FIELD: expanding the relation replaces a field of the same name
- SEARCH_LANGUAGE_UNKNOWN: words are found as they are written
- ROUTE_MODE_UNKNOWN
- AUTH_USER_ENTITY_NOT_FOUND, AUTH_USER_FIELD_NOT_FOUND: sign-in has nowhere to keep users, or shows or hides
  a field that does not exist
"""

from msgspec.structs import replace

from pylon_core.diagnostics import Diagnostic, Span
from pylon_core.manifest import MANIFEST_FILE, AppManifest
from pylon_core.manifest_checks import entities, names, operations, references, schedules

__all__ = ["check_manifest"]


def check_manifest(manifest: AppManifest, file: str = MANIFEST_FILE) -> list[Diagnostic]:
    """Everything wrong or doubtful about the manifest; ``file`` is the name the diagnostics give it."""
    span = Span(file)
    passes = (*entities.PASSES, *operations.PASSES, *names.PASSES, *references.PASSES, *schedules.PASSES)
    return [replace(found, span=span) for check in passes for found in check(manifest)]
