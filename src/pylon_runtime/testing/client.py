"""Somebody who uses the server of a test, over HTTP as everybody does: a user, a guest, the administrator, nobody.

A refusal is raised as the ``PylonError`` that the server answered with.
"""

import http.client
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from pylon_core import jsontext
from pylon_core.errors import PylonError

TIMEOUT_S = 60.0
JOBS_PAGE = 200
_LOOK_S = 0.01
_UNFINISHED = ("pending", "retrying", "running")

Row = dict[str, Any]
Headers = Mapping[str, str]


class Chunk(NamedTuple):
    """Text that a function streamed; ``event`` is the name it gave it, if any."""

    text: str
    event: str | None = None


class Streamed(NamedTuple):
    chunks: Sequence[Chunk]
    value: Any
    """What the function returned."""

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)


@dataclass
class _Server:
    """Where it is, and the sessions that were made there, by user."""

    url: str
    admin_token: str | None
    tokens: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any, headers: Headers) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        place = urlsplit(self.url)
        assert place.hostname is not None
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=TIMEOUT_S)
        try:
            payload = None if body is None else jsontext.encode(body)
            connection.request(method, path, payload, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, response.headers.get_content_type(), response.read()
        finally:
            connection.close()


class PylonClient:
    """Nobody, until ``as_user``, ``as_guest`` or ``as_admin`` make somebody of them.

    ``user_id`` is who they are. One thread uses a client; several may each have one.
    """

    def __init__(self, url: str, admin_token: str | None = None) -> None:
        self._server = _Server(url.rstrip("/"), admin_token)
        self._token: str | None = None
        self.user_id: str | None = None

    @property
    def url(self) -> str:
        return self._server.url

    # Who

    def as_user(self, user_id: str) -> "PylonClient":
        """Signed in as the user with this id, whether or not there is a row for it."""
        tokens = self._server.tokens
        if user_id not in tokens:
            tokens[user_id] = self.request("POST", "/api/auth/session", {"user_id": user_id})["token"]
        return self._other(tokens[user_id], user_id)

    def as_guest(self) -> "PylonClient":
        """A new guest."""
        session = self.request("POST", "/api/auth/guest", {})
        return self._other(session["token"], session["user_id"])

    def as_admin(self) -> "PylonClient":
        """Policies do not bind the administrator, which makes this the one to prepare data with."""
        if self._server.admin_token is None:
            raise PylonError("FORBIDDEN", "The administrator's token of this server is not known.")
        return self._other(self._server.admin_token, None)

    def as_nobody(self) -> "PylonClient":
        return self._other(None, None)

    # Functions

    def call(self, function: str, args: Mapping[str, Any] | None = None) -> Any:
        return self.request("POST", f"/api/fn/{_part(function)}", args or {})

    def stream(self, function: str, args: Mapping[str, Any] | None = None) -> Streamed:
        """Call a function, and keep what it streams until it returns."""
        accept = {"Accept": "text/event-stream"}
        status, kind, body = self._send("POST", f"/api/fn/{_part(function)}", args or {}, accept)
        if kind != "text/event-stream":
            return Streamed([], _answer(status, body))
        return _streamed(body.decode())

    # Rows

    def rows(self, entity: str, filter: Mapping[str, Any] | None = None) -> list[Row]:  # noqa: A002 - its name
        """Those that a filter selects and the policies show."""
        found: list[Row] = self.request("POST", f"/api/query/{_part(entity)}", filter or {})
        return found

    def row(self, entity: str, row_id: str) -> Row | None:
        return next(iter(self.rows(entity, {"id": row_id})), None)

    def insert(self, entity: str, data: Mapping[str, Any]) -> Row:
        """The new row."""
        row: Row = self.request("POST", f"/api/entities/{_part(entity)}", data)
        return row

    def update(self, entity: str, row_id: str, data: Mapping[str, Any]) -> Row:
        row: Row = self.request("PATCH", f"/api/entities/{_part(entity)}/{_part(row_id)}", data)
        return row

    def delete(self, entity: str, row_id: str) -> None:
        self.request("DELETE", f"/api/entities/{_part(entity)}/{_part(row_id)}")

    # The server

    def request(self, method: str, path: str, body: Any = None, headers: Headers | None = None) -> Any:
        """Any request: the JSON it is answered with."""
        status, _, answer = self._send(method, path, body, headers or {})
        return _answer(status, answer)

    def reset(self) -> None:
        """Remove every row and every job; sessions stay."""
        self.request("POST", "/api/__test__/reset", {})

    def settle_jobs(self, *, within: float = 1.0, timeout: float = 20.0) -> list[dict[str, Any]]:
        """Wait until no job is running and none is left that is due in the next ``within`` seconds, counted from
        now; those that are due later stay. The newest jobs, newest first.

        Raises ``TimeoutError``.
        """
        admin = self.as_admin()
        due_ms = 1000 * (time.time() + within)
        deadline = time.monotonic() + timeout
        while left := {job["name"] for job in _unfinished(admin) if job["run_at"] <= due_ms}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout:g} s there still are the jobs {', '.join(sorted(left))}")
            time.sleep(_LOOK_S)
        return _jobs(admin, "")

    def _other(self, token: str | None, user_id: str | None) -> "PylonClient":
        other = PylonClient(self._server.url, self._server.admin_token)
        other._server, other._token, other.user_id = self._server, token, user_id
        return other

    def _send(self, method: str, path: str, body: Any, headers: Headers) -> tuple[int, str, bytes]:
        identity = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        return self._server.send(method, path, body, {**identity, **headers})


def _unfinished(admin: PylonClient) -> Iterator[dict[str, Any]]:
    """First those of one moment, so that none escapes by becoming another; then what did not fit on that page."""
    for status in ("", *_UNFINISHED):
        for job in _jobs(admin, status):
            if job["status"] in _UNFINISHED:
                yield job


def _jobs(admin: PylonClient, status: str) -> list[dict[str, Any]]:
    """The newest of a status, or of all."""
    jobs: list[dict[str, Any]] = admin.request("GET", f"/api/jobs?limit={JOBS_PAGE}&status={status}")
    return jobs


def _answer(status: int, body: bytes) -> Any:
    answer = jsontext.decode(body) if body else None
    if status < 400:
        return answer
    error = answer if isinstance(answer, dict) else {}
    raise _refusal(error, status)


def _refusal(error: Mapping[str, Any], status: int | None) -> PylonError:
    inner = error.get("error")
    found = inner if isinstance(inner, Mapping) else error
    message = found.get("message") or f"The server answered {status}."
    return PylonError(found.get("code") or "UNKNOWN", message, hint=found.get("hint"), status=status)


def _streamed(text: str) -> Streamed:
    """The events of a stream, of which the last says how the function ended (contract 07 §9)."""
    chunks: list[Chunk] = []
    for block in text.split("\n\n"):
        members = [line.partition(":")[::2] for line in block.split("\n") if line and not line.startswith(":")]
        if not members:
            continue
        named = dict(members).get("event")
        event = None if named is None else named.removeprefix(" ")
        data = "\n".join(value.removeprefix(" ") for name, value in members if name == "data")
        if event == "result":
            return Streamed(chunks, jsontext.decode(data))
        if event == "error":
            raise _refusal(jsontext.decode(data), None)
        chunks.append(Chunk(data, event))
    raise PylonError("PROTOCOL_ERROR", "The stream broke off before the function ended.")


def _part(name: str) -> str:
    return quote(name, safe="")
