"""``pylon start [APP]``: serve an app for real, with production defaults (contract 16 §6)."""

from pathlib import Path
from queue import SimpleQueue

import click

from pylon_cli.banner import show_banner
from pylon_cli.output import Output
from pylon_cli.serving import Wake, app_folder, build_app, environment, stop_signals
from pylon_core.exit_codes import ExitCode
from pylon_runtime.app_folder import load_manifest
from pylon_runtime.config import ServerConfig
from pylon_runtime.logs import configure_logs


@click.command()
@click.argument("app", type=click.Path(path_type=Path), default=Path())
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the server (default 4321).")
@click.pass_obj
def start(output: Output, app: Path, port: int | None) -> int:
    """Serve the APP in this folder (or the one named) until SIGTERM."""
    configure_logs(as_json=True)
    environ = environment(port)
    config = ServerConfig.from_env(environ)
    folder = app_folder(app)
    wakes: SimpleQueue[Wake] = SimpleQueue()
    with stop_signals(wakes):
        loaded = load_manifest(folder, config)
        running = build_app(config, folder, loaded, environ)
        running.start()
        try:
            if not output.as_json:
                output.diagnostics(loaded.findings)
            output.event(
                {
                    "code": "START_OK",
                    "name": loaded.manifest.name,
                    "version": loaded.manifest.version,
                    "port": running.server.port,
                    "db_path": str(folder.database(config)),
                    "backend": "sqlite",
                }
            )
            show_banner(output, running, folder)
            while wakes.get() is not Wake.STOP:
                pass
        finally:
            running.stop()
    return ExitCode.OK
