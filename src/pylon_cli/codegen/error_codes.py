"""The codes that generated clients know: those published once, in their order, then what else the server says.

A test holds the list to ``docs/errors.md``: a new code is added here.
"""

from pylon_core.errors import PUBLISHED_CODES

_OTHER_CODES: tuple[str, ...] = (
    "ACTION_MISSING_INPUT",
    "BAD_PATH",
    "BAD_REQUEST",
    "CALLER_GONE",
    "COMMIT_FAILED",
    "CONFLICT",
    "CRDT_APPLY_FAILED",
    "CRDT_DECODE_FAILED",
    "CSRF_REJECTED",
    "FN_TIMEOUT",
    "FN_TYPE_MISMATCH",
    "FUNCTIONS_NOT_AVAILABLE",
    "HANDLER_CRASH",
    "HANDLER_ERROR",
    "HEADERS_TOO_LARGE",
    "INTERNAL",
    "INVALID_API_KEY",
    "INVALID_HEX",
    "INVALID_ID",
    "INVALID_MULTIPART",
    "MISSING_ENTITY",
    "MISSING_UPDATE",
    "NESTED_MUTATION",
    "NOT_AN_ACTION",
    "RANGE_NOT_SATISFIABLE",
    "READ_FAILED",
    "REQUEST_TIMEOUT",
    "RESET_REFUSED",
    "RESYNC_REQUIRED",
    "SCHEDULE_FAILED",
    "SEARCH_NOT_CONFIGURED",
    "UNKNOWN",
    "UNKNOWN_AUTH_TABLE",
    "UNKNOWN_OPS_TABLE",
    "URI_TOO_LONG",
    "WRITE_FAILED",
)

ERROR_CODES = (*PUBLISHED_CODES, *_OTHER_CODES)
