"""The app under test and what people do with it: writes by the clients, increments by callers of a function.

``Register`` rows everybody overwrites, ``Entry`` rows everybody appends, ``Doc`` rows have an owner, who may hand
them to another or to everybody, and are deleted; ``Counter`` rows are incremented by a mutation that reads and
then writes, and leaves a ``Bump`` for each increment. The one ``Page`` is edited
together (``editors.py``). Each actor draws from a seed of its own, so the seed of a run says what everybody tries.
"""

import http.client
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from tests.history.clients import ClientProcess
from tests.history.history import Called, History, Invoked, Key, Outcome, Queued, now
from tests.history.model import EVERYBODY
from tests.history.puppet import ClientGoneError
from tests.strategies.documents import Document, app, entity, field
from tests.support.servers import send

REGISTERS = 5
COUNTERS = 2
CALL_SECONDS = 5
JOIN_SECONDS = 60
PAUSE_MEAN_S = 0.08
SIGNED_IN = "auth.userId != null"

MANIFEST: Document = app(
    name="history",
    entities=[
        entity("Entry", fields=[field("tag")], crdt=False),
        entity("Register", fields=[field("tag")], crdt=False),
        entity("Doc", fields=[field("tag"), field("owner")], crdt=False),
        entity("Counter", fields=[field("count", "int")], crdt=False),
        entity("Bump", fields=[field("tag"), field("counter"), field("count", "int")], crdt=False),
        entity("Page", fields=[field("body", "richtext")]),
    ],
    policies=[
        {"name": "entries", "entity": "Entry", "allow": SIGNED_IN},
        {"name": "registers", "entity": "Register", "allow": SIGNED_IN},
        {
            "name": "docs",
            "entity": "Doc",
            "allow": f"data.owner == auth.userId || data.owner == '{EVERYBODY}'",
            "allowUpdate": f"existing.owner == auth.userId || existing.owner == '{EVERYBODY}'",
        },
        {"name": "counters", "entity": "Counter", "allowRead": SIGNED_IN, "allowWrite": "false"},
        {"name": "pages", "entity": "Page", "allow": SIGNED_IN},
        {"name": "bumps", "entity": "Bump", "allowRead": SIGNED_IN, "allowWrite": "false"},
    ],
)
BUMP = """
export default mutation({
  args: { counter: v.string(), tag: v.string() },
  handler: async (ctx, { counter, tag }) => {
    const row = await ctx.db.get<{ count: number }>("Counter", counter);
    const count = row!.count + 1;
    await ctx.db.update("Counter", counter, { count });
    await ctx.db.insert("Bump", { tag, counter, count });
    return { count };
  },
});
"""


class Actor(ABC):
    """A thread that does one step after the other, at random intervals, until it is told to stop."""

    pause_mean_s = PAUSE_MEAN_S

    def __init__(self, name: str, seed: int, stop: threading.Event) -> None:
        self.name = name
        self.chance = random.Random(f"{seed}/{name}")
        self._stop = stop
        self._failure: Exception | None = None
        self._numbers = iter(range(1, 1 << 30))
        self._thread = threading.Thread(target=self._run, name=f"actor-{name}")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(JOIN_SECONDS)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def next_tag(self) -> str:
        return f"{self.name}-{next(self._numbers)}"

    @abstractmethod
    def step(self) -> None: ...

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.chance.expovariate(1 / self.pause_mean_s)):
                self.step()
        except Exception as error:  # noqa: BLE001 - the top of a thread; ``join`` raises it
            self._failure = error


class Writer(Actor):
    """Somebody at a client: writes what comes to mind about the rows last seen on the screen."""

    def __init__(
        self,
        client: ClientProcess,
        users: Sequence[str],
        seed: int,
        stop: threading.Event,
        history: History,
        read_share: float,
    ) -> None:
        super().__init__(client.name, seed, stop)
        self._client = client
        self._users = users
        self._history = history
        self._read_share = read_share
        self._seen: dict[str, list[str]] = {}

    def step(self) -> None:
        try:
            self._act()
        except ClientGoneError:
            return

    def _act(self) -> None:
        if self.chance.random() < self._read_share:
            self._look()
            return
        acts = ["entry", "register", "register", "doc", "edit", "edit", "give", "delete", "pause"]
        match self.chance.choice(acts):
            case "entry":
                self._write("insert", "Entry", None, {})
            case "register":
                self._write("update", "Register", self._pick("Register"), {})
            case "doc":
                self._write("insert", "Doc", None, {"owner": self._somebody()})
            case "edit":
                self._write("update", "Doc", self._pick("Doc"), {})
            case "give":
                self._write("update", "Doc", self._pick("Doc"), {"owner": self._somebody()})
            case "delete":
                self._write("delete", "Doc", self._pick("Doc"), {})
            case "pause":
                self._client.pause()
                self._stop.wait(self.chance.uniform(0, 0.5))
                self._client.resume()

    def _look(self) -> None:
        seen: dict[str, list[str]] = {}
        for name, row_id in self._client.view().shown:
            seen.setdefault(name, []).append(row_id)
        self._seen = seen

    def _pick(self, name: str) -> str | None:
        rows = self._seen.get(name)
        return self.chance.choice(rows) if rows else None

    def _somebody(self) -> str:
        """Mostly oneself: one may only make documents that are one's own or everybody's."""
        return self.chance.choice([self._client.identity.user, EVERYBODY, self.chance.choice(self._users)])

    def _write(self, kind: Any, name: str, row_id: str | None, fields: dict[str, Any]) -> None:
        if kind != "insert" and row_id is None:
            return
        tag, client, life = self.next_tag(), self._client.name, self._client.life
        data = {} if kind == "delete" else {"tag": tag, **fields}
        self._history.add(
            Invoked(at=now(), client=client, life=life, tag=tag, kind=kind, entity=name, row_id=row_id, data=data)
        )
        answer = self._client.write(kind, name, row_id, data)
        op_id, its_id = answer["op_id"], answer["row_id"]
        self._history.add(Queued(at=now(), client=client, life=life, tag=tag, op_id=op_id, row_id=its_id))


class Caller(Actor):
    """Increments counters over plain HTTP, and never asks twice."""

    def __init__(
        self,
        name: str,
        port: int,
        token: str,
        counters: Sequence[Key],
        seed: int,
        stop: threading.Event,
        history: History,
    ) -> None:
        super().__init__(name, seed, stop)
        self._port = port
        self._token = token
        self._counters = counters
        self._history = history

    def step(self) -> None:
        tag = self.next_tag()
        _, counter = self.chance.choice(self._counters)
        begun = now()
        outcome, count = self._call(counter, tag)
        self._history.add(
            Called(
                at=begun,
                answered_at=now(),
                client=self.name,
                tag=tag,
                counter=counter,
                outcome=outcome,
                count=count,
            )
        )

    def _call(self, counter: str, tag: str) -> tuple[Outcome, int | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=CALL_SECONDS)
        try:
            body = {"counter": counter, "tag": tag}
            status, answer = send(connection, "POST", "/api/fn/bump", body, token=self._token)
        except (OSError, http.client.HTTPException):
            return "unknown", None
        finally:
            connection.close()
        if status == 200:
            return "applied", answer["count"]
        # The database was away before anything was asked of it: nothing can have happened.
        is_refusal = status < 500 or answer["code"] == "NOT_AVAILABLE"
        return "failed" if is_refusal else "unknown", None
