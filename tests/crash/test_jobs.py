"""kill -9 in the middle of 300 jobs: each is done, a mutation exactly once, an action at least once.

On SQLite the server is started again, several times; on Postgres there are two, one of them is killed, and the
other does the rest.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.crash.lives import PostgresDatabase, SqliteDatabase
from tests.server.rig import ADMIN_TOKEN, write_app
from tests.support.postgres import fresh_database
from tests.support.servers import ServerProcess
from tests.support.waiting import until

JOBS = 300
FUNCTIONS = {
    "mark": """
export default mutation({
  args: { title: v.string() },
  handler: (ctx, args) => ctx.db.insert("Post", { title: args.title }),
});
""",
    "act": """
export default action({
  args: { title: v.string() },
  handler: (ctx, args) => ctx.runMutation("mark", { title: args.title }),
});
""",
}


class HastyServer(ServerProcess):
    program = "tests.crash.hasty_server"

    def stats(self) -> dict[str, Any]:
        status, stats = self.request("GET", "/api/jobs/stats", token=ADMIN_TOKEN)
        assert status == 200, stats
        return dict(stats)

    def await_completed(self, jobs: int) -> None:
        until(lambda: self.stats()["completed"] >= jobs, f"{jobs} jobs", seconds=60)

    def enqueue(self, name: str, title: str, run_at_ms: int) -> None:
        body = {"name": name, "payload": {"title": title}, "max_retries": 50, "run_at": run_at_ms}
        status, answer = self.request("POST", "/api/jobs", body, token=ADMIN_TOKEN)
        assert status == 201, answer


@contextmanager
def server(app: Path, env: Mapping[str, str] | None = None) -> Iterator[HastyServer]:
    running = HastyServer(app, env={"PYLON_ADMIN_TOKEN": ADMIN_TOKEN, "PYLON_JOB_WORKERS": "4", **(env or {})})
    running.start()
    try:
        yield running
    finally:
        running.kill()


def enqueue_all(running: HastyServer) -> set[str]:
    """All due at once, soon; what is to be there in the end, by title."""
    due_ms = int(1000 * time.time()) + 1_000
    titles = {f"{'act' if number % 10 == 0 else 'mark'} {number}" for number in range(JOBS)}
    for title in sorted(titles):
        running.enqueue(title.split()[0], title, due_ms)
    return titles


def check(titles: set[str], found: Counter[str]) -> None:
    assert set(found) == titles
    assert [title for title, times in found.items() if times > 1 and title.startswith("mark")] == []


def titles_of(rows: list[Any]) -> Counter[str]:
    return Counter(title for (title,) in rows)


@pytest.mark.timeout(150)
def test_a_server_killed_again_and_again_does_every_job(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", functions=FUNCTIONS)
    with server(app, {"PYLON_JOB_WORKERS": "0"}) as first:
        titles = enqueue_all(first)
    for life in range(3):
        with server(app) as running:
            running.await_completed(60 * (life + 1))
            running.kill()
    with server(app) as last:
        assert last.stats()["completed"] < JOBS, "the others were killed too late"
        last.await_completed(JOBS)
        assert (last.stats()["pending"], last.stats()["running"], last.stats()["dead"]) == (0, 0, 0)

    database = SqliteDatabase(app / ".pylon" / "dev.db")
    database.check_integrity()
    check(titles, titles_of(database._all('SELECT "title" FROM "Post"')))


@pytest.mark.timeout(150)
def test_when_one_of_two_servers_is_killed_the_other_does_the_rest(tmp_path: Path) -> None:
    url = fresh_database()
    apps = [write_app(tmp_path / f"app{number}", functions=FUNCTIONS) for number in range(2)]
    with server(apps[0], {"DATABASE_URL": url}) as doomed, server(apps[1], {"DATABASE_URL": url}) as other:
        titles = enqueue_all(other)
        other.await_completed(20)
        doomed.kill()
        assert other.stats()["completed"] < JOBS, "it was killed too late"
        other.await_completed(JOBS)
        assert (other.stats()["pending"], other.stats()["dead"]) == (0, 0)

    check(titles, titles_of(PostgresDatabase(url)._all('SELECT "title" FROM "Post"')))
