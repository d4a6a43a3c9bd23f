"""What every client process does alike: it tells the test what it sees, and asks servers with a deadline.

Words to the test are lines of JSON on stdout, see ``puppet.py``. Any thread may call; the lock keeps lines whole.
"""

import http.client
import json
import os
import random
import threading
from typing import Any

from wsproto.utilities import ProtocolError

REQUEST_SECONDS = 3
RETRY_S = (0.05, 0.5)
FAILURES = (OSError, http.client.HTTPException, ProtocolError)
"""What a bad network and a dying server do to a client."""

_saying = threading.Lock()
_never = threading.Event()


class UnavailableError(OSError):
    """The server answered that it cannot, for now."""


def say(message: dict[str, Any]) -> None:
    """Written at once: a kill leaves at most the last line cut short, and nothing that was acted upon untold."""
    line = json.dumps(message).encode() + b"\n"
    with _saying:
        while line:
            line = line[os.write(1, line) :]


def request(port: int, token: str, method: str, path: str, body: Any = None) -> Any:
    """The answer of a request that was granted; that another was not is told to the test."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 200:
        say({"event": "refused", "path": path, "status": response.status, "code": answer["code"]})
        raise UnavailableError(f"{response.status}")
    return answer


def rest() -> None:
    """Before trying again; a pause of random length, so that clients do not come back all at once."""
    _never.wait(random.uniform(*RETRY_S))
