"""A process that is told what to do over stdin and tells over stdout what it sees; it can be killed at any time.

All of them speak the same lines of JSON: a command has a ``do`` and an ``id``, its answer has that ``id``
again, and what the process sees meanwhile are lines with an ``event``. A killed one is started again on the
same folder, which is all it remembers by.
"""

import itertools
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.history.history import Accepted, Event, Gap, Heard, History, Pulled, Refused, Settled, now

ROOT = Path(__file__).parents[2]
ANSWER_SECONDS = 30
"""No command waits for the network, so a client that takes longer hangs."""


class ClientGoneError(Exception):
    """It was killed before it answered."""


@dataclass(frozen=True)
class Identity:
    name: str
    user: str
    token: str


class Puppet:
    """Started, asked and killed by several threads: one asks at a time (``_turn``), who kills does not wait."""

    def __init__(
        self, command: Sequence[str], identity: Identity, folder: Path, port: int, history: History, *more: str
    ) -> None:
        self.identity = identity
        self.name = identity.name
        self.life = 0
        self.history = history
        self._command = [*command, str(folder), str(port), identity.token, *more]
        self._folder = folder
        self._numbers = itertools.count(1)
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader: threading.Thread | None = None
        history.viewers[self.name] = identity.user

    def start(self) -> None:
        """Nothing happens when it runs."""
        if self._process is not None:
            return
        self.life += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        self._answers = queue.Queue()
        with (self._folder / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
            )
        self._reader = threading.Thread(
            target=self._read, args=(self._process, self._answers, self.life), name=f"reads-{self.name}"
        )
        self._reader.start()

    def kill(self) -> None:
        """SIGKILL, and what it said before is read to the end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        assert self._reader is not None
        self._reader.join(ANSWER_SECONDS)
        assert process.stdin is not None
        process.stdin.close()

    @property
    def alive(self) -> bool:
        return self._process is not None

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        with self._turn:
            process, answers = self._process, self._answers
            if process is None:
                raise ClientGoneError(self.name)
            assert process.stdin is not None
            number = next(self._numbers)
            try:
                process.stdin.write(msgspec.json.encode({"id": number, **command}) + b"\n")
                process.stdin.flush()
            except (OSError, ValueError):
                raise ClientGoneError(self.name) from None
            try:
                answer = answers.get(timeout=ANSWER_SECONDS)
            except queue.Empty:
                raise AssertionError(f"{self.name} does not answer {command}") from None
        if answer is None:
            raise ClientGoneError(self.name)
        assert answer["id"] == number, (answer, command)
        return answer

    def _read(
        self, process: "subprocess.Popen[bytes]", answers: "queue.Queue[dict[str, Any] | None]", life: int
    ) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                # The last line of a killed process may be cut short.
                if line.endswith(b"\n"):
                    message = msgspec.json.decode(line)
                    if "id" in message:
                        answers.put(message)
                    else:
                        self._note(message, life)
        answers.put(None)

    def _note(self, message: dict[str, Any], life: int) -> None:
        client, at = self.name, now()
        match message.pop("event"):
            case "heard":
                event = event_of(message["change"])
                self.history.add(Heard(at=at, client=client, life=life, socket=message["socket"], event=event))
            case "pulled":
                events = [event_of(change) for change in message["changes"]]
                since, last_seq = message["since"], message["last_seq"]
                self.history.add(
                    Pulled(at=at, client=client, life=life, since=since, last_seq=last_seq, events=events)
                )
            case "settled":
                self.history.add(msgspec.convert({"at": at, "client": client, **message}, Settled, strict=False))
            case "accepted":
                self.history.add(Accepted(at=at, client=client, tags=message["tags"]))
            case "gap":
                self.history.add(Gap(at=at, client=client, life=life, what=message["what"]))
            case "refused":
                self.history.add(msgspec.convert({"at": at, "client": client, **message}, Refused))
            case unknown:
                raise AssertionError(f"{client} says {unknown}")


def event_of(change: dict[str, Any]) -> Event:
    return msgspec.convert(change, Event)
