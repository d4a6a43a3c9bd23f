"""A runner of one's own (``createRunner`` of ``@pylonsync/workflows``), asked over HTTP. Any thread may call it.

Imported only where there is one, since its client takes a while to load.
"""

from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from pylon_core.turns import blocking
from pylon_http.workflows import WorkflowDefinition, WorkflowInstance
from pylon_runtime.workflows.runners import PassRunner, RunnerAway, request_of

CONNECT_S = 5.0
ANSWER_BYTES_MAX = 4 << 20

_JSON = {"Content-Type": "application/json"}
_REFUSED = (401, 403)


class HttpRunner:
    """It may have any workflow: there is no way to ask. ``secret`` is sent as bearer token."""

    def __init__(self, url: str, secret: str | None) -> None:
        self._url = url
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        self._client = httpx.Client(headers=headers, trust_env=False)

    def definitions(self) -> Sequence[WorkflowDefinition]:
        return ()

    def find(self, name: str) -> WorkflowDefinition | None:
        return WorkflowDefinition(name)

    def make_pass(self, instance: WorkflowInstance, timeout_s: float) -> Any:
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
        body = msgspec.json.encode(request_of(instance))
        try:
            with (
                blocking(),
                self._client.stream("POST", self._url, content=body, headers=_JSON, timeout=timeout) as response,
            ):
                status, answer = response.status_code, _bounded(response)
        except httpx.ReadTimeout:
            return {"action": "fail", "error": f"The runner did not answer within {timeout_s:g} s"}
        except httpx.HTTPError as error:
            raise RunnerAway("Failed to connect to workflow runner") from error
        if status in _REFUSED:
            raise RunnerAway("The workflow runner wants another PYLON_WORKFLOW_RUNNER_SECRET")
        if answer is None:
            return {"action": "fail", "error": "The runner's answer is too large"}
        try:
            return msgspec.json.decode(answer)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RunnerAway("Failed to parse runner response") from error

    def close(self) -> None:
        self._client.close()


def _bounded(response: httpx.Response) -> bytes | None:
    """The body; ``None`` when it is larger than any answer."""
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


_: type[PassRunner] = HttpRunner
