"""Functions on Postgres, where transactions run side by side: what one may count on is as on SQLite."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import GATED_MUTATION, Server, serving, write_app
from tests.support.postgres import fresh_database
from tests.support.waiting import until

CALLS = 16
COUNTING = """
declare global { var begun: number; var ended: number }
globalThis.begun ??= 0;
globalThis.ended ??= 0;
"""
BUMP = f"""{COUNTING}
export default mutation({{
  args: {{ id: v.string() }},
  handler: async (ctx, args) => {{
    globalThis.begun++;
    try {{
      const note = await ctx.db.get<{{ rank: number }}>("Note", args.id);
      await ctx.db.update("Note", args.id, {{ rank: note!.rank + 1 }});
      return note!.rank + 1;
    }} finally {{
      globalThis.ended++;
    }}
  }},
}});
"""
STUBBORN_BUMP = f"""{COUNTING}
export default mutation({{
  args: {{ id: v.string() }},
  handler: async (ctx, args) => {{
    globalThis.begun++;
    const note = await ctx.db.get<{{ rank: number }}>("Note", args.id);
    try {{
      await ctx.db.update("Note", args.id, {{ rank: note!.rank + 1 }});
    }} catch {{
      await ctx.db.insert("Post", {{ title: "after a failure" }}).catch(() => null);
    }}
    globalThis.ended++;
  }},
}});
"""
"""Goes on whatever it is told."""
BUMP_BY_ACTION = """
export default action({
  args: { id: v.string() },
  handler: (ctx, args) => ctx.runMutation("bump", args),
});
"""
COUNTS = f"""{COUNTING}
export default query({{ handler: () => ({{ begun: globalThis.begun, ended: globalThis.ended }}) }});
"""
FUNCTIONS = {
    "bump": BUMP,
    "stubborn": STUBBORN_BUMP,
    "byAction": BUMP_BY_ACTION,
    "counts": COUNTS,
    "gated": GATED_MUTATION,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_app(tmp_path_factory.mktemp("app"), functions=FUNCTIONS)
    with serving(folder, env={"DATABASE_URL": fresh_database()}) as running:
        running.await_functions("counts")
        yield running
        assert "Traceback" not in running.log_text()


@pytest.fixture
def note(server: Server) -> tuple[str, str]:
    """A note that counts, and the token of its owner."""
    token, user_id = server.guest()
    data = {"title": "counter", "ownerId": user_id, "rank": 0}
    status, row = server.request("POST", "/api/entities/Note", data, token=token)
    assert status == 201
    return row["id"], token


def call_at_once(server: Server, name: str, row_id: str) -> list[Any]:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(server.call(name, {"id": row_id}))) for _ in range(CALLS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == CALLS
    return answers


@pytest.mark.parametrize("name", ["bump", "byAction"])
def test_mutations_of_one_row_at_once_each_count(server: Server, note: tuple[str, str], name: str) -> None:
    row_id, token = note

    answers = call_at_once(server, name, row_id)

    assert sorted(answers) == list(range(1, CALLS + 1))
    assert server.request("GET", f"/api/entities/Note/{row_id}", token=token)[1]["rank"] == CALLS


@pytest.mark.parametrize("name", ["bump", "stubborn"])
def test_handlers_whose_call_was_begun_anew_have_ended(server: Server, note: tuple[str, str], name: str) -> None:
    before = server.call("counts")["begun"]
    call_at_once(server, name, note[0])

    def all_ended() -> bool:
        counts = server.call("counts")
        return bool(counts["begun"] == counts["ended"])

    until(all_ended, "the end of every handler")
    assert server.call("counts")["begun"] > before + CALLS, "some had to be begun anew"


def test_a_handler_that_goes_on_after_its_transaction_is_lost_changes_nothing(
    server: Server, note: tuple[str, str]
) -> None:
    row_id, token = note

    call_at_once(server, "stubborn", row_id)

    assert server.request("GET", f"/api/entities/Note/{row_id}", token=token)[1]["rank"] == CALLS
    _, posts = server.request("GET", "/api/entities/Post", token=token)
    assert "after a failure" not in [post["title"] for post in posts]


def test_a_slow_mutation_keeps_nobody_waiting(server: Server, tmp_path: Path) -> None:
    token, _ = server.guest()
    gate = tmp_path / "gate"
    answers: list[Any] = []
    args = {"title": "slow", "gate": str(gate)}
    slow = threading.Thread(target=lambda: answers.append(server.call("gated", args, token)))
    slow.start()
    until(Path(f"{gate}.reached").exists, "the call to be in flight")

    begun = time.monotonic()
    for number in range(100):
        post = {"title": f"{number}"}
        assert server.request("POST", "/api/entities/Post", post, token=token)[0] == 201
    took_s = time.monotonic() - begun
    during = [post["title"] for post in server.request("GET", "/api/entities/Post", token=token)[1]]
    assert answers == []
    gate.touch()
    slow.join(20)

    assert took_s < 5
    assert "99" in during
    assert "slow" not in during
    (answer,) = answers
    assert server.request("GET", f"/api/entities/Post/{answer['id']}", token=token)[0] == 200


def test_slow_mutations_leave_connections_for_everybody_else(tmp_path: Path) -> None:
    env = {"DATABASE_URL": fresh_database(), "PYLON_DB_CONNECTIONS": "4"}
    gates = [tmp_path / f"gate{number}" for number in range(6)]
    with serving(write_app(tmp_path / "app", functions=FUNCTIONS), env=env) as server:
        server.await_functions("counts")
        token, _ = server.guest()
        answers: list[Any] = []
        calls = [
            threading.Thread(
                target=lambda gate=gate: answers.append(
                    server.call("gated", {"title": "slow", "gate": str(gate)}, token)
                )
            )
            for gate in gates
        ]
        for call in calls:
            call.start()
        until(lambda: sum(Path(f"{gate}.reached").exists() for gate in gates) == 3, "three to be in flight")

        for _ in range(30):
            assert server.request("GET", "/api/entities/Post", token=token)[0] == 200
            assert server.request("POST", "/api/entities/Post", {"title": "quick"}, token=token)[0] == 201
            assert server.guest()
        for gate in gates:
            gate.touch()
        for call in calls:
            call.join(30)
        assert len(answers) == len(gates)
