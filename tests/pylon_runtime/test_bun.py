"""The Bun processes under their supervisor: crashes, stuck handlers, reloads, missing Bun, and stopping."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.errors import PylonError
from pylon_functions.invocation import Invocation
from tests.pylon_functions.bun_app import PID, BunApp
from tests.support.waiting import until

SPIN = """export default mutation({ handler: async (ctx) => {
    await ctx.db.insert("Lot", { title: "spun" }); while (true) {} } });"""
SPIN_ONCE_OPEN = """import { existsSync, appendFileSync } from "node:fs";
export default mutation({ handler: async (ctx, args) => {
    await ctx.db.insert("Lot", { title: "spun" });
    appendFileSync(args.started as string, "x");
    while (!existsSync(args.go as string)) await Bun.sleep(2);
    appendFileSync(args.started as string, "x");
    while (true) {} } });"""
HANG = """export default mutation({ handler: async (ctx) => {
    await ctx.db.insert("Lot", { title: "hung" }); await new Promise(() => {}); } });"""
ONE = "export default query({ handler: () => 1 });"
WAIT = """import { existsSync, appendFileSync } from "node:fs";
export default %s({ handler: async (ctx, args) => {
    appendFileSync(args.started as string, "x");
    while (!existsSync(args.go as string)) await Bun.sleep(2);
    return process.pid; } });"""
WRITE_THEN_WAIT = WAIT.replace("appendFileSync(", 'await ctx.db.insert("Lot", { title: "once" }); appendFileSync(')


LEAVE_ONE_BEHIND = """import { writeFileSync } from "node:fs";
export default action({ handler: async (ctx, args) => {
    const helper = Bun.spawn(args.command as string[], { stdio: ["ignore", "inherit", "inherit"] });
    writeFileSync(args.helper as string, String(helper.pid));
    process.exit(1); } });"""


class MakeApp(Protocol):
    def __call__(self, functions: dict[str, str] | None, **options: Any) -> BunApp: ...


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    apps: list[BunApp] = []

    def make(functions: dict[str, str] | None, **options: Any) -> BunApp:
        apps.append(BunApp(tmp_path, functions, **options))
        return apps[-1]

    yield make
    for app in apps:
        app.close()
    assert [thread.name for thread in threading.enumerate() if "functions" in thread.name] == []


class Gate:
    """Arguments for the functions that wait, and the way to let them go on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._started, self._go = folder / "started", folder / "go"
        self.args = {"started": str(self._started), "go": str(self._go)}

    def starts(self) -> int:
        return len(self._started.read_text()) if self._started.exists() else 0

    def wait_for(self, starts: int) -> None:
        until(lambda: self.starts() >= starts, f"{starts} calls have started")

    def open(self) -> None:
        self._go.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def background() -> Iterator[Callable[..., Future[Any]]]:
    with ThreadPoolExecutor(thread_name_prefix="callers") as pool:
        yield pool.submit


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def code_of(future: "Future[Any]") -> tuple[str, int]:
    error = future.exception(30)
    assert isinstance(error, PylonError)
    return error.code, error.status


def test_a_first_call_waits_for_the_start(make_app: MakeApp) -> None:
    app = make_app({"one": ONE})

    assert app.call("one") == 1


def test_a_handler_that_never_yields_times_out_and_the_others_run_again(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]
) -> None:
    app = make_app({"spin": SPIN, "wait": WAIT % "query", "pid": PID}, timeout_s=1.0)
    old = app.serving_pid()
    bystander = background(app.patient_call, "wait", gate.args)
    gate.wait_for(1)

    error = app.fail("spin")

    assert (error.code, error.status) == ("FN_TIMEOUT", 504)
    assert app.serving_pid() != old
    assert app.lots() == []
    gate.wait_for(2)
    gate.open()
    assert bystander.result(10) != old


def test_a_handler_that_hangs_does_not_end_its_neighbours(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]
) -> None:
    app = make_app({"hang": HANG, "wait": WAIT % "action", "pid": PID}, timeout_s=1.0)
    old = app.serving_pid()
    neighbour = background(app.patient_call, "wait", gate.args)
    gate.wait_for(1)

    error = app.fail("hang")

    assert (error.code, error.status) == ("FN_TIMEOUT", 504)
    assert app.serving_pid() != old
    assert app.lots() == []
    gate.open()
    assert neighbour.result(10) == old
    until(lambda: not is_running(old), "the replaced process has ended")


def test_of_calls_in_one_process_those_that_never_yield_are_to_blame_and_no_other(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]], tmp_path: Path
) -> None:
    app = make_app(
        {"spin": SPIN_ONCE_OPEN, "wait": WRITE_THEN_WAIT % "mutation", "act": WAIT % "action", "pid": PID},
        timeout_s=3.0,
    )
    old = app.serving_pid()
    spinning = Gate(tmp_path / "spinning")
    innocent = background(app.call, "wait", gate.args)
    action = background(app.patient_call, "act", gate.args)
    gate.wait_for(2)
    guilty = [background(app.call, "spin", spinning.args) for _ in range(2)]
    spinning.wait_for(2)
    spinning.open()
    spinning.wait_for(3)
    gate.open()

    assert code_of(action) == ("RUNNER_EXITED", 502)
    assert innocent.result(30) != old
    assert [code_of(future) for future in guilty] == [("FN_TIMEOUT", 504)] * 2
    assert app.titles() == ["once"]


def test_one_whose_caller_left_is_not_blamed_on_the_next(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]
) -> None:
    app = make_app({"spin": SPIN, "one": ONE, "pid": PID}, timeout_s=2.0)
    old = app.serving_pid()

    with pytest.raises(PylonError) as left:
        app.host.run(Invocation("spin", {}, ANONYMOUS, is_gone=lambda: True))

    assert left.value.code == "CALLER_GONE"
    assert app.call("one") == 1
    assert app.serving_pid() != old


@pytest.mark.parametrize("kind", ["query", "mutation"])
def test_a_call_whose_process_is_killed_runs_again(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]], kind: str
) -> None:
    body = (WRITE_THEN_WAIT if kind == "mutation" else WAIT) % kind
    app = make_app({"wait": body, "pid": PID})
    old = app.serving_pid()
    waiting = background(app.call, "wait", gate.args)
    gate.wait_for(1)

    os.kill(old, signal.SIGKILL)
    gate.wait_for(2)
    gate.open()

    assert waiting.result(10) not in (None, old)
    assert app.titles() == (["once"] if kind == "mutation" else [])
    assert len(app.store.changes(0, 10).events) == len(app.titles())


def test_an_action_whose_process_is_killed_does_not_run_again(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]
) -> None:
    app = make_app({"wait": WAIT % "action", "pid": PID})
    waiting = background(app.call, "wait", gate.args)
    gate.wait_for(1)

    os.kill(app.serving_pid(), signal.SIGKILL)

    assert code_of(waiting) == ("RUNNER_EXITED", 502)
    assert gate.starts() == 1
    assert app.serving_pid() > 0


@pytest.mark.parametrize(
    "command", [["sleep", "60"], ["setsid", "sleep", "60"]], ids=["its group", "a group of its own"]
)
def test_an_end_is_noticed_at_once_though_something_it_started_goes_on(
    make_app: MakeApp, tmp_path: Path, command: list[str]
) -> None:
    app = make_app({"quit": LEAVE_ONE_BEHIND, "one": ONE})
    helper = tmp_path / "helper"
    app.runtime.start()

    error = app.fail("quit", {"command": command, "helper": str(helper)})

    if command[0] == "setsid":
        os.kill(int(helper.read_text()), signal.SIGKILL)
    assert error.code == "RUNNER_EXITED"
    assert app.call("one") == 1


def test_a_reload_brings_new_code_and_drops_no_call(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]
) -> None:
    app = make_app({"wait": WAIT % "action", "version": "export default query({ handler: () => 1 });"})
    waiting = [background(app.call, "wait", gate.args) for _ in range(3)]
    gate.wait_for(3)
    stop = threading.Event()

    def keep_calling() -> list[int]:
        answers = []
        while not stop.is_set():
            answers.append(app.call("version"))
        return answers

    callers = [background(keep_calling) for _ in range(4)]
    for version in (2, 3):
        app.write("version", f"export default query({{ handler: () => {version} }});")
        app.reload()
        assert app.call("version") == version
    stop.set()
    gate.open()

    assert len({future.result(10) for future in waiting}) == 1
    for caller in callers:
        answers = caller.result(10)
        assert answers == sorted(answers)


def test_a_reload_that_does_not_start_leaves_the_old_code_serving(make_app: MakeApp) -> None:
    app = make_app({"one": ONE})
    app.call("one")
    app.functions_dir.rename(app.folder / "elsewhere")

    with pytest.raises(PylonError) as failed:
        app.reload()

    assert failed.value.code == "RUNNER_NOT_STARTED"
    assert app.call("one") == 1


def test_a_function_whose_file_is_gone_is_gone_after_a_respawn(make_app: MakeApp) -> None:
    app = make_app({"one": ONE, "pid": PID})
    old = app.serving_pid()
    (app.functions_dir / "one.ts").unlink()
    os.kill(old, signal.SIGKILL)
    until(lambda: app.serving_pid() != old, "another process serves")

    assert app.fail("one").code == "FN_NOT_FOUND"


def test_every_worker_gets_calls(make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]) -> None:
    app = make_app({"wait": WAIT % "query"}, workers=2)
    waiting = [background(app.call, "wait", gate.args) for _ in range(2)]
    gate.wait_for(2)
    gate.open()

    assert len({future.result(10) for future in waiting}) == 2


def test_without_bun_callers_learn_how_to_get_it(make_app: MakeApp) -> None:
    app = make_app({"one": ONE}, environ={"PYLON_BUN": "/nonexistent/bun"})

    error = app.fail("one")

    assert (error.code, error.status) == ("FUNCTIONS_NOT_AVAILABLE", 503)
    assert "pip install 'pylonsync[functions]'" in error.message
    assert "/nonexistent" not in error.message
    assert app.host.definitions() == []


def test_without_a_folder_there_are_no_functions_until_a_reload_finds_one(make_app: MakeApp) -> None:
    app = make_app(None)
    error = app.fail("one")
    assert (error.code, error.status) == ("FUNCTIONS_NOT_AVAILABLE", 503)
    assert str(app.folder) not in error.message

    app.functions_dir.mkdir()
    app.write("one", ONE)
    app.reload()

    assert app.call("one") == 1


def test_a_runtime_that_is_not_ready_in_time_or_ends_is_no_runtime(make_app: MakeApp, tmp_path: Path) -> None:
    script = tmp_path / "runtime.ts"
    script.write_text("process.exit(3);")
    app = make_app({"one": ONE}, environ={**os.environ, "PYLON_FUNCTIONS_RUNTIME": str(script)})

    error = app.fail("one")

    assert (error.code, error.status) == ("FUNCTIONS_NOT_AVAILABLE", 503)

    script.unlink()
    app.reload()
    assert app.call("one") == 1


def test_the_servers_secrets_stay_with_the_server(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PYLON_JWT_SECRET=from-file\nMINE=also-from-file\n")
    secrets = {"PYLON_ADMIN_TOKEN": "t", "DATABASE_URL": "d", "PYLON_OAUTH_X_CLIENT_SECRET": "s"}
    app = make_app(
        {"env": "export default query({ handler: (ctx) => ctx.env });", "pid": PID},
        environ={**os.environ, **secrets, "PYLON_PUBLIC_URL": "u"},
    )

    seen = app.call("env")

    assert not {*secrets, "PYLON_JWT_SECRET"} & seen.keys()
    assert b"PYLON_ADMIN_TOKEN" not in Path(f"/proc/{app.serving_pid()}/environ").read_bytes()
    assert (seen["MINE"], seen["PYLON_PUBLIC_URL"]) == ("also-from-file", "u")


def test_an_apps_own_copy_of_the_package_is_preferred(make_app: MakeApp, tmp_path: Path) -> None:
    own = tmp_path / "node_modules" / "@pylonsync" / "functions"
    own.mkdir(parents=True)
    (own / "package.json").write_text('{"name": "@pylonsync/functions", "main": "index.ts"}')
    (own / "index.ts").write_text(
        """export const v = {}, mutation = null, action = null;
        export const query = () => ({ type: "query", handler: () => "own copy" });"""
    )

    assert make_app({"one": ONE}).call("one") == "own copy"


def test_stopping_lets_calls_finish_and_leaves_no_process(
    make_app: MakeApp, gate: Gate, background: Callable[..., Future[Any]]
) -> None:
    app = make_app({"wait": WAIT % "query", "pid": PID})
    pid = app.serving_pid()
    waiting = background(app.call, "wait", gate.args)
    gate.wait_for(1)

    stopping = background(app.runtime.stop, app.clock.monotonic() + 10)
    until(lambda: app.code("pid") == "FUNCTIONS_NOT_AVAILABLE", "new calls are refused")
    gate.open()

    assert waiting.result(10) == pid
    stopping.result(10)
    assert not is_running(pid)
    app.runtime.stop(app.clock.monotonic())


def test_stopping_kills_what_does_not_end(make_app: MakeApp, background: Callable[..., Future[Any]]) -> None:
    app = make_app({"spin": SPIN, "pid": PID})
    pid = app.serving_pid()
    spinning = background(app.call, "spin")
    until(lambda: app.runtime.pick("", app.clock.monotonic() + 1).load > 0, "it spins")

    app.runtime.stop(app.clock.monotonic() + 0.2)

    assert not is_running(pid)
    assert code_of(spinning)[0] in ("RUNNER_EXITED", "FUNCTIONS_NOT_AVAILABLE")


def test_stopping_before_starting_does_nothing(make_app: MakeApp) -> None:
    app = make_app({})

    for _ in range(2):
        app.runtime.stop(app.clock.monotonic() + 1)
    app.runtime.start()

    assert app.fail("one").code == "FUNCTIONS_NOT_AVAILABLE"


def test_output_of_handlers_is_logged_line_by_line(make_app: MakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app(
        {
            "talk": """export default query({ handler: () => {
                console.warn("careful %s", 7); process.stdout.write("said\\n"); console.log("x\\ny"); } });"""
        }
    )

    app.call("talk")

    seen = ""

    def logged() -> bool:
        nonlocal seen
        seen += capsys.readouterr().out
        return "line=y" in seen

    until(logged, "the output is logged")
    assert "function_output" in seen
    assert "line='[warn] careful 7'" in seen
    assert "line=said" in seen
