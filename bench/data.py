"""How reads, searches and writes cost more as a table grows: every kind of request, on SQLite and on Postgres.

    python -m bench.data                                    10,000 and 1,000,000 rows, both engines
    python -m bench.data --engines sqlite --rows 10000 100000 --rounds 1 --only list search

Method: one server a database, filled beforehand (``bench.dataset`` says how); the caller is signed in, and an
owner policy gives it ``--share`` of the rows. A round is a run of wrk for each server and kind of request, servers
in turn; medians of the rounds are shown, and how many times fewer requests a second the largest table allows than
the smallest. Runs that write come last. While wrk runs, a client of ours asks the same ten times a second and
compares the answer with what was loaded; a wrong or failed answer fails the run. Both share the machine with the
server; that client costs about 1 % of a core. ``batch`` is the administrator's, of 100 rows each.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.contenders import Client, free_port, process, wait_for
from bench.dataset import CALLER, CATEGORIES, COSTLY, SEARCHED, Loaded, load, prepare_folder
from bench.machine import describe
from bench.wrk import Load, Measurement, measure
from pylon_runtime.stores import Database, PostgresDatabase, SqliteFile
from tests.support.postgres import postgres_server

ADMIN = "bench-admin"
ENGINES = ("sqlite", "postgres")
ROWS = (10_000, 1_000_000)
LIST_ROWS = 50
BATCH_ROWS = 100
CHECK_S = 0.1
TABLE_WIDTH = 110
POSTGRES_OPTIONS = ("shared_buffers=256MB", "max_wal_size=4GB")

ITEM = {
    "owner": CALLER,
    "title": "made by us",
    "body": "x" * 60,
    "category": "c0",
    "stock": 1,
    "listedAt": "2026-05-02T12:00:00Z",
}


@dataclass(frozen=True)
class Server:
    engine: str
    rows: int
    port: int
    loaded: Loaded
    ids: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None) -> Client:
        return Client(self.port, token or self.loaded.token)


@dataclass(frozen=True)
class Request:
    """A kind of request. In ``path`` and ``body``, ``<id>`` is one of the caller's rows, ``<category>`` one of
    the categories, a fresh one each time. ``check`` says whether an answer is right."""

    method: str
    path: str
    check: Callable[[Server, Any], bool]
    body: Any = None
    token: str | None = None
    rows_written: int = 0


def _is_a_row(_server: Server, row: Any) -> bool:
    return row["owner"] == CALLER and len(row["title"].split()) == 3


def _is_a_page(_server: Server, rows: Any) -> bool:
    found = rows["data"] if isinstance(rows, dict) else rows
    return len(found) == LIST_ROWS and {row["owner"] for row in found} == {CALLER}


def _is_filtered(server: Server, rows: Any) -> bool:
    (category,) = {row["category"] for row in rows}
    expected = min(server.loaded.owned.costly[category], LIST_ROWS)
    return len(rows) == expected and all(row["owner"] == CALLER and row["price"] >= COSTLY for row in rows)


def _is_sorted(server: Server, rows: Any) -> bool:
    prices = [row["price"] for row in rows]
    return _is_a_page(server, rows) and prices == sorted(prices, reverse=True)


def _is_aggregate(server: Server, answer: Any) -> bool:
    owned = server.loaded.owned
    found = {row["category"]: (row["count"], row["sum_stock"]) for row in answer["rows"]}
    return found == {name: (count, owned.stock[name]) for name, count in owned.in_category.items()}


def _is_search(server: Server, answer: Any) -> bool:
    total = server.loaded.owned.found
    counted = sum(answer["facetCounts"].get("category", {}).values())
    return answer["total"] == counted == total and len(answer["hits"]) == min(total, 20)


def _is_created(_server: Server, row: Any) -> bool:
    return bool(row["title"] == ITEM["title"])


def _is_batch(_server: Server, answer: Any) -> bool:
    return bool(answer["succeeded"] == BATCH_ROWS and answer["failed"] == 0)


AGGREGATION = {"count": "*", "sum": ["stock"], "avg": ["price"], "groupBy": ["category"]}
REQUESTS = {
    "get": Request("GET", "/api/entities/Item/<id>", _is_a_row),
    "list": Request("GET", f"/api/entities/Item?limit={LIST_ROWS}", _is_a_page),
    "filter": Request(
        "POST",
        "/api/query/Item",
        _is_filtered,
        {"category": "<category>", "price": {"$gte": COSTLY}, "$limit": LIST_ROWS},
    ),
    "sort": Request("POST", "/api/query/Item", _is_sorted, {"$order": {"price": "desc"}, "$limit": LIST_ROWS}),
    "aggregate": Request("POST", "/api/aggregate/Item", _is_aggregate, AGGREGATION),
    "search": Request("POST", "/api/search/Item", _is_search, {"query": " ".join(SEARCHED)}),
    "create": Request("POST", "/api/entities/Item", _is_created, ITEM, rows_written=1),
    "batch": Request(
        "POST",
        "/api/batch",
        _is_batch,
        {"operations": [{"op": "insert", "entity": "Item", "data": ITEM}] * BATCH_ROWS},
        ADMIN,
        BATCH_ROWS,
    ),
}

Cell = tuple[str, str, int]
"""Kind of request, engine, rows."""


@contextmanager
def serving(engine: str, rows: int, share: float, folder: Path) -> Iterator[Server]:
    """A database with so many rows and a server on it."""
    prepare_folder(folder)
    with ExitStack() as stack:
        database: Database = SqliteFile(folder / "bench.db")
        env = {"PYLON_DB_PATH": str(folder / "bench.db")}
        if engine == "postgres":
            running = stack.enter_context(postgres_server(fsync=True, options=POSTGRES_OPTIONS))
            database = PostgresDatabase(running.create_database())
            env = {"DATABASE_URL": database.url}
        loaded = load(database, rows, share)
        print(
            f"{engine}: {rows:,} rows in {loaded.rows_s:.1f} s, text index in {loaded.index_s:.1f} s", flush=True
        )
        ids = folder / "ids.txt"
        ids.write_text("\n".join(loaded.owned.ids[:100_000]) + "\n")
        port = free_port()
        env |= {
            "PYLON_CORS_ORIGIN": "https://bench.example",
            "PYLON_ADMIN_TOKEN": ADMIN,
            "PYLON_EXTRA_PORTS": "0",
            "PYLON_HOST": "127.0.0.1",
        }
        command = [sys.executable, "-m", "pylon_cli", "start", str(folder), "--port", str(port)]
        stack.enter_context(process(command, None, env, folder / "server.log"))
        wait_for(port, "/health")
        yield Server(engine, rows, port, loaded, ids)


def run(request: Request, server: Server, options: argparse.Namespace) -> Measurement:
    """Warm up, measure and check. Raises ``RuntimeError`` for a wrong or failed answer."""
    load = Load(_lua(request, server), server.ids)
    before = _count(server) if request.rows_written else 0
    checker = _Checker(request, server)
    checker.start()
    try:
        warm = measure(server.url, load, options.connections, options.warmup)
        result = measure(server.url, load, options.connections, options.seconds)
    finally:
        checked = checker.stop()
    if warm.failed or result.failed:
        raise RuntimeError(f"{result.failed} answers failed")
    written = (warm.requests + result.requests + checked) * request.rows_written
    if request.rows_written and _count(server) < before + written:
        raise RuntimeError("rows were acknowledged that are not there")
    return result


class _Checker(threading.Thread):
    """Asks what wrk asks, now and then, and looks at the answer."""

    def __init__(self, request: Request, server: Server) -> None:
        super().__init__(name="checker")
        self._request, self._server = request, server
        self._over = threading.Event()
        self._checked = 0
        self._error: Exception | None = None

    def run(self) -> None:
        request, server = self._request, self._server
        client = server.client(request.token)
        try:
            while not self._over.is_set():
                path = request.path.replace("<id>", server.loaded.owned.ids[self._checked])
                category = f"c{self._checked % CATEGORIES}"
                body = request.body and json.loads(json.dumps(request.body).replace("<category>", category))
                if not request.check(server, client.send(request.method, path, body)):
                    raise RuntimeError("a wrong answer")  # noqa: TRY301 - told to whoever stops it
                self._checked += 1
                self._over.wait(CHECK_S)
        except Exception as error:  # noqa: BLE001 - raised by ``stop``
            self._error = error

    def stop(self) -> int:
        """How many answers were right; raises the error if one was not."""
        self._over.set()
        self.join()
        if self._error is not None:
            raise self._error
        return self._checked


def _count(server: Server) -> int:
    answer = server.client().send("POST", "/api/aggregate/Item", {"count": "*"})
    return int(answer["rows"][0]["count"])


def _lua(request: Request, server: Server) -> str:
    token = request.token or server.loaded.token
    headers = f'{{["Authorization"] = "Bearer {token}", ["Content-Type"] = "application/json"}}'
    path = f'("{request.path}"):gsub("<id>", ids[math.random(#ids)])'
    if request.body is None:
        return f'  return wrk.format("{request.method}", {path}, {headers})'
    category = f'"c" .. math.random(0, {CATEGORIES - 1})'
    body = f'([[{json.dumps(request.body)}]]):gsub("<category>", {category})'
    return f'  local body = {body}\n  return wrk.format("{request.method}", "{request.path}", {headers}, body)'


def run_all(servers: Sequence[Server], options: argparse.Namespace) -> dict[Cell, list[Measurement]]:
    """Every round of the reads, then of the writes, which change what reads find."""
    results: dict[Cell, list[Measurement]] = {}
    for writes in (False, True):
        names = [name for name in options.only if (REQUESTS[name].rows_written > 0) == writes]
        for _ in range(options.rounds):
            for name in names:
                for server in servers:
                    cell = (name, server.engine, server.rows)
                    try:
                        results.setdefault(cell, []).append(run(REQUESTS[name], server, options))
                    except RuntimeError as error:
                        raise RuntimeError(
                            f"{name} on {server.engine} with {server.rows:,} rows: {error}"
                        ) from error
    return results


def report(results: dict[Cell, list[Measurement]], options: argparse.Namespace) -> Table:
    table = Table("request", "engine", title=f"{options.connections} connections, medians of {options.rounds}")
    for rows in options.rows:
        table.add_column(f"{rows:,} rows\nper second", justify="right", no_wrap=True)
        table.add_column("p50 / p99\nms", justify="right", no_wrap=True)
    table.add_column("times\nslower", justify="right", no_wrap=True)
    for name in options.only:
        for engine in options.engines:
            measured = [_median(results[name, engine, rows]) for rows in options.rows]
            numbers = [
                text for m in measured for text in (f"{m.per_second:,.0f}", f"{m.p50_ms:.1f} / {m.p99_ms:.1f}")
            ]
            slower = measured[0].per_second / measured[-1].per_second
            table.add_row(name, engine, *numbers, f"{slower:.1f}")
    return table


def _median(rounds: Sequence[Measurement]) -> Measurement:
    return Measurement(
        requests=sum(m.requests for m in rounds),
        failed=0,
        per_second=statistics.median(m.per_second for m in rounds),
        p50_ms=statistics.median(m.p50_ms for m in rounds),
        p99_ms=statistics.median(m.p99_ms for m in rounds),
        max_ms=max(m.max_ms for m in rounds),
    )


def save(
    path: Path, machine: dict[str, object], servers: Sequence[Server], results: dict[Cell, list[Measurement]]
) -> None:
    document = {
        "machine": machine,
        "loaded": [
            {"engine": s.engine, "rows": s.rows, "rows_s": s.loaded.rows_s, "index_s": s.loaded.index_s}
            for s in servers
        ],
        "results": [
            {"request": name, "engine": engine, "rows": rows, "rounds": [asdict(m) for m in rounds]}
            for (name, engine, rows), rounds in results.items()
        ],
    }
    path.write_text(json.dumps(document, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--only", nargs="+", choices=tuple(REQUESTS), default=tuple(REQUESTS))
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.1, help="of the rows that the caller may read")
    parser.add_argument("--json", type=Path, help="where to write every round's numbers")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    machine = describe(options.folder)
    print(json.dumps(machine), flush=True)
    with ExitStack() as stack:
        servers = []
        for engine in options.engines:
            for rows in options.rows:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
                servers.append(stack.enter_context(serving(engine, rows, options.share, folder)))
        results = run_all(servers, options)
    Console(width=max(Console().width, TABLE_WIDTH)).print(report(results, options))
    if options.json is not None:
        save(options.json, machine, servers, results)


if __name__ == "__main__":
    main()
