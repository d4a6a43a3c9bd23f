"""A new replica of a hundred thousand rows: all of them, in flat memory, whether or not they lie below the floor.

The rows are put into the server's database while it does not run. What it takes of memory and of the processor is
printed; only memory is asserted, for time is the machine's.
"""

import http.client
import os
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from tests.server.rig import Server, serving, write_app

ROWS = 100_000
GROWTH_KIB_MAX = 60 * 1024
_FILL = (
    'INSERT INTO "Post" ("id", "title") VALUES (?, ?)',
    "INSERT INTO _pylon_changes VALUES (?, 'Post', ?, 'insert', ?, NULL, 0, NULL)",
)


def fill(database: Path, floor: int) -> None:
    connection = apsw.Connection(str(database))
    with connection:
        for seq in range(1, ROWS + 1):
            row_id, title = f"{seq:040x}", f"Post number {seq}, of which there are more than one cares to read"
            row = msgspec.json.encode({"id": row_id, "title": title}).decode()
            connection.execute(_FILL[0], (row_id, title))
            connection.execute(_FILL[1], (seq, row_id, row))
        connection.execute("INSERT OR REPLACE INTO _pylon_meta VALUES ('floor', ?)", (str(floor),))
    connection.close()


def memory_kib(server: Server) -> int:
    """The most it ever had."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def processor_s(server: Server) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pages(server: Server, token: str) -> list[Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    found: list[Any] = []
    while not found or found[-1]["has_more"]:
        since = found[-1]["cursor"]["last_seq"] if found else 0
        connection.request("GET", f"/api/sync/pull?since={since}", headers={"Authorization": f"Bearer {token}"})
        found.append(msgspec.json.decode(connection.getresponse().read()))
    connection.close()
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("floor", [0, ROWS - 100], ids=["no floor", "floor"])
def test_a_first_sync_takes_no_memory(tmp_path: Path, floor: int) -> None:
    app = write_app(tmp_path)
    with serving(app):
        pass
    fill(app / ".pylon" / "dev.db", floor)
    with serving(app) as server:
        token, _ = server.guest()
        server.request("GET", "/api/sync/pull?since=1000000000", token=token)
        memory, processor = memory_kib(server), processor_s(server)

        found = pages(server, token)

        grown = memory_kib(server) - memory
        print(f"{grown / 1024:.1f} MiB, {processor_s(server) - processor:.2f} s, {len(found)} answers")
        assert [event["seq"] for page in found for event in page["changes"]] == list(range(1, ROWS + 1))
        assert len(found) == 1 if floor else 200
        assert grown < GROWTH_KIB_MAX
