"""Where workflows run beside the functions folder, and how long they are kept: the variables, and
``WorkflowConfig``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pylon_runtime.settings import Setting, visible_ascii, whole


def _url(text: str) -> str:
    parts = urlsplit(visible_ascii(text))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as http://127.0.0.1:4500/run")
    return text


RUNNER_URL = Setting(
    "PYLON_WORKFLOW_RUNNER_URL",
    _url,
    "none",
    "Where a workflow runner of one's own listens; it is asked for workflows that the functions folder has not.",
)
RUNNER_SECRET = Setting(
    "PYLON_WORKFLOW_RUNNER_SECRET", visible_ascii, "none", "What that runner is shown as bearer token."
)
RETENTION_DAYS = Setting(
    "PYLON_WORKFLOW_RETENTION_DAYS", whole(1, 3650), "30", "Days for which workflows that ended can be looked at."
)

WORKFLOW_SETTINGS: tuple[Setting[Any], ...] = (RUNNER_URL, RUNNER_SECRET, RETENTION_DAYS)


@dataclass(frozen=True)
class WorkflowConfig:
    runner_url: str | None
    runner_secret: str | None = field(repr=False)
    retention_days: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "WorkflowConfig":
        return cls(RUNNER_URL.given(environ), RUNNER_SECRET.given(environ), RETENTION_DAYS.read(environ))
