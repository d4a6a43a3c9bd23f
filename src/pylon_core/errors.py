"""Every error raised on purpose, under one root.

    PylonError            a stable code, a sentence for people, perhaps a hint
    └── DataError         the data was refused or could not be stored (declared in ``pylon_http``)

The code decides the HTTP status (``status_of``), so a message can be reworded without changing what
programs see. Codes are those of contract 01 §2; ``PUBLISHED_CODES`` is the union that generated clients
export, in its published order.
"""

from collections.abc import Mapping
from typing import Any

PUBLISHED_CODES: tuple[str, ...] = (
    "AUTH_REQUIRED",
    "UPGRADE_FAILED",
    "INVALID_CODE",
    "OAUTH_INVALID_STATE",
    "OAUTH_TOKEN_EXCHANGE_FAILED",
    "PROVIDER_NOT_FOUND",
    "SESSION_EXPIRED",
    "SESSION_NOT_FOUND",
    "FORBIDDEN",
    "POLICY_DENIED",
    "UNAUTHORIZED",
    "INVALID_JSON",
    "INVALID_ARGS",
    "INVALID_COLUMN",
    "INVALID_QUERY",
    "INVALID_DATA",
    "INVALID_FILE_ID",
    "MISSING_EMAIL",
    "MISSING_USER_ID",
    "MISSING_CODE",
    "MISSING_FIELD",
    "MISSING_ROOM",
    "MISSING_TOPIC",
    "MISSING_NAME",
    "MISSING_OPERATIONS",
    "PAYLOAD_TOO_LARGE",
    "NOT_FOUND",
    "ENTITY_NOT_FOUND",
    "ACTION_NOT_FOUND",
    "FN_NOT_FOUND",
    "FILE_NOT_FOUND",
    "SHARD_NOT_FOUND",
    "RELATION_NOT_FOUND",
    "QUERY_FAILED",
    "INSERT_FAILED",
    "UPDATE_FAILED",
    "DELETE_FAILED",
    "SCHEMA_INIT_FAILED",
    "LOCK_FAILED",
    "NESTED_TRANSACTION",
    "EXPORT_FAILED",
    "NOT_SUPPORTED",
    "NOT_IMPLEMENTED",
    "NOT_AVAILABLE",
    "RATE_LIMITED",
    "METHOD_NOT_ALLOWED",
    "PROTOCOL_ERROR",
    "RUNNER_EXITED",
    "RUNNER_NOT_STARTED",
    "IO_ERROR",
    "AI_NOT_CONFIGURED",
    "AI_REQUEST_FAILED",
    "EMAIL_SEND_FAILED",
    "WORKFLOW_START_FAILED",
    "WORKFLOW_ADVANCE_FAILED",
    "WORKFLOW_EVENT_FAILED",
    "WORKFLOW_CANCEL_FAILED",
    "INPUT_REJECTED",
    "SUBSCRIBE_FAILED",
    "SHARDS_NOT_AVAILABLE",
)

_STATUS: Mapping[str, int] = {
    "AUTH_REQUIRED": 401,
    "UNAUTHORIZED": 401,
    "SESSION_EXPIRED": 401,
    "INVALID_API_KEY": 401,
    "INVALID_JWT": 401,
    "FORBIDDEN": 403,
    "POLICY_DENIED": 403,
    "CSRF_REJECTED": 403,
    "RESET_REFUSED": 403,
    "NOT_FOUND": 404,
    "ENTITY_NOT_FOUND": 404,
    "FN_NOT_FOUND": 404,
    "ACTION_NOT_FOUND": 404,
    "FILE_NOT_FOUND": 404,
    "UNKNOWN_AUTH_TABLE": 404,
    "UNKNOWN_OPS_TABLE": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "RESYNC_REQUIRED": 410,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "SCHEMA_INIT_FAILED": 500,
    "COMMIT_FAILED": 500,
    "RUNNER_EXITED": 502,
    "PROTOCOL_ERROR": 502,
    "IO_ERROR": 502,
    "FUNCTIONS_NOT_AVAILABLE": 503,
    "RUNNER_NOT_STARTED": 503,
    "NOT_AVAILABLE": 503,
    "FN_TIMEOUT": 504,
}


def status_of(code: str) -> int:
    """The HTTP status a code is sent with; 400 for every code that names a fault of the caller."""
    return _STATUS.get(code, 400)


class PylonError(Exception):
    """A failure with a stable ``code`` and a ``message`` its reader can act on.

    ``hint`` says what to do next; ``details`` are further members of the wire error (such as
    ``oldest_seq``); ``status`` overrides the code's usual HTTP status. None of them may hold SQL text, paths
    or tokens.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.hint = hint
        self.status = status_of(code) if status is None else status
        self.details = details

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
