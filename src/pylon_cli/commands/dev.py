"""``pylon dev [APP]``: serve an app on this machine and follow its files (contract 16 §5).

A changed function is loaded by a fresh child while running calls end in the old one. A changed manifest is
checked first: with an error the running app goes on; without one it is stopped in order and started again on the
same port, its tables brought up to the new manifest. What the database then refuses brings the old one back.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import click

from pylon_cli.banner import show_banner, summary
from pylon_cli.output import Output, diagnostics_of
from pylon_cli.serving import app_folder, await_next, environment, stop_signals, tune_process
from pylon_cli.watching import Watcher
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_core.exit_codes import ExitCode
from pylon_runtime.app_folder import AppFolder, LoadedManifest, load_manifest
from pylon_runtime.application import Application, build
from pylon_runtime.config import ServerConfig
from pylon_runtime.logs import configure_logs
from pylon_runtime.threads import spawn

Step = Callable[[], None]


@click.command()
@click.argument("app", type=click.Path(path_type=Path), default=Path())
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the server (default 4321).")
@click.pass_obj
def dev(output: Output, app: Path, port: int | None) -> int:
    """Serve the APP in this folder (or the one named), and follow its files."""
    configure_logs(as_json=output.as_json)
    tune_process()
    environ = environment(port, PYLON_DEV_MODE="1")
    config = ServerConfig.from_env(environ)
    _DevSession(output, config, app_folder(app, missing="DEV_ENTRY_NOT_FOUND"), environ).run()
    return ExitCode.OK


class _DevSession:
    """One run of the command, on the main thread; other threads only put steps for it into the queue.

    ``None`` in the queue is the end.
    """

    def __init__(
        self, output: Output, config: ServerConfig, folder: AppFolder, environ: Mapping[str, str]
    ) -> None:
        self._output = output
        self._config = config
        self._folder = folder
        self._environ = environ
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._app: Application | None = None
        self._rebuild = 0
        self._is_reloading = False
        self._reload_again = False

    def run(self) -> None:
        with stop_signals(partial(self._steps.put, None)):
            watcher = Watcher(
                self._folder.manifest,
                self._folder.functions(self._config),
                partial(self._steps.put, self._manifest_changed),
                partial(self._steps.put, self._functions_changed),
            )
            try:
                self._start(load_manifest(self._folder, self._config))
                watcher.start()
                self._follow()
            finally:
                self._stop()
                watcher.stop()

    def _follow(self) -> None:
        while (step := await_next(self._steps)) is not None:
            try:
                step()
            except PylonError as error:
                self._report(error)

    # Steps

    def _manifest_changed(self) -> None:
        loaded = load_manifest(self._folder, self._config)
        old = self._app
        if old is None:
            self._start(loaded)
        elif old.loaded.manifest != loaded.manifest:
            self._stop()
            try:
                self._start(loaded)
            except PylonError:
                self._serve(old.loaded)
                raise

    def _functions_changed(self) -> None:
        """Elsewhere, because a file that hangs while it is loaded must not keep Ctrl-C waiting."""
        if self._is_reloading:
            self._reload_again = True
        elif self._app is not None:
            self._is_reloading = True
            spawn("reload-functions", partial(self._reload_functions, self._app))

    def _functions_reloaded(self, app: Application, problem: PylonError | None) -> None:
        self._is_reloading = False
        if self._reload_again:
            self._reload_again = False
            self._functions_changed()
        elif app is self._app:
            if problem is not None:
                raise problem
            self._announce(app.loaded)

    def _reload_functions(self, app: Application) -> None:
        """On a thread of its own."""
        problem: PylonError | None = None
        try:
            app.reload_functions()
        except PylonError as error:
            problem = error
        finally:
            self._steps.put(partial(self._functions_reloaded, app, problem))

    # The app

    def _start(self, loaded: LoadedManifest) -> None:
        app = self._serve(loaded)
        if not self._output.as_json:
            self._output.diagnostics(loaded.findings)
        self._announce(loaded)
        if self._rebuild == 1:
            show_banner(self._output, app, self._folder)

    def _serve(self, loaded: LoadedManifest) -> Application:
        app = build(self._config, self._folder, loaded, self._environ, SystemClock())
        self._app = app
        app.start()
        self._config = replace(self._config, port=app.server.port)  # clients come back to where they were
        return app

    def _stop(self) -> None:
        app, self._app = self._app, None
        if app is not None:
            app.stop()

    # What is said

    def _announce(self, loaded: LoadedManifest) -> None:
        self._rebuild += 1
        if self._rebuild > 1:
            self._output.show(f"Rebuild {self._rebuild}: {summary(loaded.manifest)}")
        self._output.event(
            {
                "code": "DEV_OK",
                "rebuild": self._rebuild,
                "name": loaded.manifest.name,
                "version": loaded.manifest.version,
                "port": self._config.port,
                "diagnostics": loaded.findings,
            }
        )

    def _report(self, error: PylonError) -> None:
        self._rebuild += 1
        diagnostics = diagnostics_of(error)
        if self._output.as_json:
            self._output.event(
                {
                    "code": "DEV_ERROR",
                    "rebuild": self._rebuild,
                    "error": error.message,
                    "diagnostics": diagnostics,
                }
            )
        else:
            self._output.show(f"Rebuild {self._rebuild} failed; what ran before goes on:")
            self._output.diagnostics(diagnostics)
