"""The sync clients as processes: told to write, looked at, killed. ``client.py`` and ``client.ts`` obey alike."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylon_runtime.bun_locate import find_bun
from tests.history.history import History, Key, Replica, Viewed, now, tag_of
from tests.history.puppet import Identity, Puppet


class ClientProcess(Puppet):
    def write(self, kind: str, entity: str, row_id: str | None, data: Mapping[str, Any]) -> dict[str, Any]:
        """Once it is saved in the client's queue: its ``op_id``, and the ``row_id`` for now."""
        return self.ask({"do": kind, "entity": entity, "row_id": row_id, "data": data})

    def pause(self) -> None:
        """Stop syncing, as an app does that goes to the background; writes are still taken."""
        self.ask({"do": "pause"})

    def resume(self) -> None:
        self.ask({"do": "resume"})

    def view(self) -> Viewed:
        asked_at = now()
        life, answer = self.life, self.ask({"do": "read"})
        replica = _replica(answer)
        viewed = Viewed(
            at=now(),
            asked_at=asked_at,
            client=self.name,
            life=life,
            cursor=answer["cursor"],
            rows={key: tag_of(row) for key, row in replica.rows.items()},
            overlaid=replica.overlaid,
        )
        self.history.add(viewed)
        return viewed

    def replica(self) -> Replica:
        return _replica(self.ask({"do": "read"}))

    def pending(self) -> int:
        return int(self.ask({"do": "status"})["pending"])


def python_client(identity: Identity, folder: Path, port: int, history: History) -> ClientProcess:
    return ClientProcess([sys.executable, "-m", "tests.history.client"], identity, folder, port, history)


def typescript_client(identity: Identity, folder: Path, port: int, history: History) -> ClientProcess:
    bun = find_bun(os.environ)
    assert bun is not None
    script = Path(__file__).with_name("client.ts")
    return ClientProcess([str(bun), "run", str(script)], identity, folder, port, history)


def _replica(answer: dict[str, Any]) -> Replica:
    rows: dict[Key, Any] = {(entity, row["id"]): row for entity, row in answer["rows"]}
    overlaid = {(entity, row_id): tag for entity, row_id, tag in answer["overlaid"]}
    return Replica(rows, overlaid, answer["pending"])
