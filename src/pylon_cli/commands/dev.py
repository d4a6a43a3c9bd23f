"""``pylon dev [APP]``: serve an app on this machine and follow its files (contract 16 §5).

A changed function is loaded by a fresh child while running calls end in the old one. A changed manifest is
checked first: with an error the running app goes on; without one it is stopped in order and started again on the
same port, its tables brought up to the new manifest.
"""

from pathlib import Path
from queue import SimpleQueue

import click

from pylon_cli.banner import show_banner
from pylon_cli.output import Output
from pylon_cli.serving import Wake, app_folder, build_app, environment, stop_signals
from pylon_cli.watching import Watcher
from pylon_core.errors import PylonError
from pylon_core.exit_codes import ExitCode
from pylon_runtime.app_folder import AppFolder, LoadedManifest, load_manifest
from pylon_runtime.application import Application
from pylon_runtime.config import ServerConfig
from pylon_runtime.logs import configure_logs


@click.command()
@click.argument("app", type=click.Path(path_type=Path), default=Path())
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the server (default 4321).")
@click.pass_obj
def dev(output: Output, app: Path, port: int | None) -> int:
    """Serve the APP in this folder (or the one named), and follow its files."""
    configure_logs(as_json=output.as_json)
    environ = environment(port, PYLON_DEV_MODE="1")
    config = ServerConfig.from_env(environ)
    session = _DevSession(output, config, app_folder(app), environ)
    session.run()
    return ExitCode.OK


class _DevSession:
    """One run of the command. Only the main thread is in here."""

    def __init__(self, output: Output, config: ServerConfig, folder: AppFolder, environ: dict[str, str]) -> None:
        self._output = output
        self._config = config
        self._folder = folder
        self._environ = environ
        self._wakes: SimpleQueue[Wake] = SimpleQueue()
        self._app: Application | None = None
        self._rebuild = 0

    def run(self) -> None:
        with stop_signals(self._wakes):
            self._start(load_manifest(self._folder, self._config))
            watcher = Watcher(self._folder.manifest, self._folder.functions(self._config), self._wakes)
            watcher.start()
            try:
                self._follow()
            finally:
                watcher.stop()
                self._stop()

    def _follow(self) -> None:
        while (wake := self._wakes.get()) is not Wake.STOP:
            if wake is Wake.FUNCTIONS_CHANGED and self._app is not None:
                self._app.reload_functions()
            elif wake is Wake.MANIFEST_CHANGED:
                self._restart()

    def _restart(self) -> None:
        try:
            loaded = load_manifest(self._folder, self._config)
            self._stop()
            self._start(loaded)
        except PylonError as error:
            self._rebuild += 1
            self._output.event({"code": "DEV_ERROR", "rebuild": self._rebuild, "error": error.message})
            self._output.error(error)

    def _start(self, loaded: LoadedManifest) -> None:
        app = build_app(self._config, self._folder, loaded, self._environ)
        app.start()
        self._app = app
        self._rebuild += 1
        if not self._output.as_json:
            self._output.diagnostics(loaded.findings)
        self._output.event(
            {
                "code": "DEV_OK",
                "rebuild": self._rebuild,
                "name": loaded.manifest.name,
                "version": loaded.manifest.version,
                "port": app.server.port,
                "diagnostics": loaded.findings,
            }
        )
        show_banner(self._output, app, self._folder)

    def _stop(self) -> None:
        if self._app is not None:
            self._app.stop()
            self._app = None
