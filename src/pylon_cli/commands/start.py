"""``pylon start [APP]``: serve an app for real, with production defaults (contract 16 §6)."""

from pathlib import Path
from queue import SimpleQueue

import click

from pylon_cli.app_source import AppSource, entry_member
from pylon_cli.banner import show_banner
from pylon_cli.env_files import EnvFiles
from pylon_cli.output import Output
from pylon_cli.serving import app_folder, await_next, environment, stop_signals, tune_process
from pylon_core.clock import SystemClock
from pylon_core.exit_codes import ExitCode
from pylon_runtime.app_folder import AppFolder
from pylon_runtime.application import Application
from pylon_runtime.composition import build
from pylon_runtime.config import ServerConfig
from pylon_runtime.logs import configure_logs


@click.command()
@click.argument("app", type=click.Path(path_type=Path), default=Path())
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the server (default 4321).")
@click.pass_obj
def start(output: Output, app: Path, port: int | None) -> int:
    """Serve the APP in this folder (or the one named) until SIGTERM."""
    configure_logs(as_json=True)
    tune_process()
    folder = app_folder(app, missing="START_ENTRY_NOT_FOUND")
    output.loaded(EnvFiles(folder.root).load())
    environ = environment(port)
    config = ServerConfig.from_env(environ)
    source = AppSource(folder, environ, output)
    stop: SimpleQueue[None] = SimpleQueue()

    def ask_to_stop() -> None:
        stop.put(None)
        source.cancel()

    with stop_signals(ask_to_stop):
        running = build(config, folder, source.load(config), environ, SystemClock())
        try:
            running.start()
            _announce(output, running, folder)
            await_next(stop)
        finally:
            running.stop()
    return ExitCode.OK


def _announce(output: Output, app: Application, folder: AppFolder) -> None:
    loaded = app.loaded
    if not output.as_json:
        output.diagnostics(loaded.findings)
    output.event(
        {
            "code": "START_OK",
            "name": loaded.manifest.name,
            "version": loaded.manifest.version,
            **entry_member(folder),
            "port": app.server.port,
            "db_path": str(app.database),
            "backend": app.database.engine,
            "diagnostics": loaded.findings,
        }
    )
    show_banner(output, app, folder)
