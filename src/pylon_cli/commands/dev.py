"""``pylon dev [APP]``: serve an app on this machine and follow its files (contract 16 §5).

A changed function is loaded by a fresh child while running calls end in the old one. A changed manifest, or one
that a changed entry file builds, is checked first: with an error the running app goes on; without one it is
stopped in order and started again on the same port, its tables brought up to the new manifest. What the database
then refuses brings the old one back. A changed environment file begins everything anew, once it and the manifest
are sound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import click
from msgspec.structs import replace as replace_members

from pylon_cli import watching
from pylon_cli.app_source import AppSource, entry_member
from pylon_cli.banner import show_banner, summary
from pylon_cli.changed_files import ChangedFiles
from pylon_cli.codegen.keeper import ClientKeeper
from pylon_cli.codegen.writing import write_client_beside
from pylon_cli.declared_names import declared_internal_functions
from pylon_cli.env_files import EnvFiles
from pylon_cli.function_files import python_modules
from pylon_cli.once import run_once
from pylon_cli.output import Output, diagnostics_of, problem
from pylon_cli.serving import app_folder, await_next, environment, stop_signals, tune_process
from pylon_cli.watching import Watched
from pylon_core.clock import SystemClock
from pylon_core.diagnostics import Diagnostic, Span
from pylon_core.errors import PylonError
from pylon_core.exit_codes import ExitCode
from pylon_functions.registry import FileProblem
from pylon_runtime.app_folder import AppFolder, LoadedManifest
from pylon_runtime.application import Application
from pylon_runtime.composition import build
from pylon_runtime.config import ServerConfig
from pylon_runtime.logs import configure_logs
from pylon_runtime.threads import spawn

Step = Callable[[], None]


@click.command()
@click.argument("app", type=click.Path(path_type=Path), default=Path())
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the server (default 4321).")
@click.option("--once", is_flag=True, help="Build and check everything, and do not serve.")
@click.pass_obj
def dev(output: Output, app: Path, port: int | None, *, once: bool) -> int:
    """Serve the APP in this folder (or the one named), and follow its files."""
    configure_logs(as_json=output.as_json)
    tune_process()
    folder = app_folder(app, missing="DEV_ENTRY_NOT_FOUND")
    surroundings = _Surroundings(output, folder, EnvFiles(folder.root), port)
    first = surroundings.read()
    if once:
        run_once(output, folder, first.source, first.config, first.environ)
        return ExitCode.OK
    beginning: _Beginning | None = first
    while beginning is not None:
        beginning = _DevSession(surroundings, beginning).run()
    return ExitCode.OK


@dataclass(frozen=True)
class _Beginning:
    """What a session begins with. ``loaded`` is there when it was read to see whether one could begin."""

    config: ServerConfig
    environ: Mapping[str, str]
    source: AppSource
    loaded: LoadedManifest | None = None


@dataclass(frozen=True)
class _Surroundings:
    """What stays the same however often a session begins: the command line, and where the rest is read from."""

    output: Output
    folder: AppFolder
    env_files: EnvFiles
    port: int | None

    def read(self) -> _Beginning:
        self.output.loaded(self.env_files.load())
        environ = environment(self.port, PYLON_DEV_MODE="1")
        source = AppSource(self.folder, environ, self.output)
        return _Beginning(ServerConfig.from_env(environ), environ, source)


class _DevSession:
    """One run from start to stop, on the main thread; other threads only put steps for it into the queue.

    ``None`` in the queue is the end.
    """

    def __init__(self, surroundings: _Surroundings, beginning: _Beginning) -> None:
        self._output = surroundings.output
        self._folder = surroundings.folder
        self._surroundings = surroundings
        self._beginning = beginning
        self._config = beginning.config
        self._source = beginning.source
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._app: Application | None = None
        self._client = self._client_keeper()
        self._function_files = self._files_of_functions()
        self._changed_files = ChangedFiles(self._folder.root, self._function_files)
        self._next: _Beginning | None = None
        self._is_stopping = False
        self._rebuild = 0
        self._is_reloading = False
        self._reload_again = False

    def run(self) -> _Beginning | None:
        """How to begin anew, if that is wanted."""
        with stop_signals(self._ask_to_stop):
            watcher = watching.Watcher(*self._function_files, *self._other_files())
            try:
                self._start(self._beginning.loaded or self._source.load(self._config))
                self._save()
                watcher.start()
                self._follow()
            except PylonError:
                if not self._is_stopping:
                    raise
            finally:
                self._stop()
                watcher.stop()
                if self._client is not None:
                    self._client.stop()
        return self._next

    def _ask_to_stop(self) -> None:
        """A signal: an entry file that is being run need not come to its end."""
        self._is_stopping = True
        self._steps.put(None)
        self._source.cancel()

    def _follow(self) -> None:
        while (step := await_next(self._steps)) is not None:
            try:
                step()
            except PylonError as error:
                if not self._is_stopping:
                    self._report(error)

    def _files_of_functions(self) -> tuple[Watched, ...]:
        root, changed = self._folder.root, partial(self._steps.put, self._functions_changed)
        return (
            watching.tree("functions", self._folder.functions(self._config), changed),
            watching.files("modules", root, partial(python_modules, root), changed),
        )

    def _other_files(self) -> tuple[Watched, ...]:
        later = self._steps.put
        env_files = self._surroundings.env_files.paths
        return (
            watching.files(
                "manifest", self._folder.root, self._source.files, partial(later, self._manifest_changed)
            ),
            watching.files(
                "environment", env_files[0].parent, lambda: env_files, partial(later, self._environment_changed)
            ),
        )

    def _client_keeper(self) -> ClientKeeper | None:
        """A manifest that somebody wrote by hand has no client written beside it unasked."""
        entry = self._folder.entry
        if entry is None:
            return None
        functions, environ, clock = (
            self._folder.functions(self._config),
            self._beginning.environ,
            SystemClock(),
        )
        return ClientKeeper(
            lambda manifest: write_client_beside(entry, manifest, functions, environ, clock),
            self._complain,
            clock,
        )

    # Steps

    def _manifest_changed(self) -> None:
        loaded = self._source.load(self._config)
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
        self._save()

    def _environment_changed(self) -> None:
        beginning = self._surroundings.read()
        old, self._source = self._source, beginning.source
        try:
            loaded = self._source.load(beginning.config)
        except PylonError:
            self._source = old
            raise
        if beginning.config.port == self._beginning.config.port:
            config = replace(beginning.config, port=self._config.port)
            beginning = replace(beginning, config=config)
        self._next = replace(beginning, loaded=loaded)
        self._steps.put(None)

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
                raise PylonError(problem.code, problem.message, hint=self._changed_files.hint())
            self._changed_files.started()
            self._announce(app.loaded)
            self._renew_client()
            self._tell_problems(app, app.functions.problems(app.clock.monotonic()))

    def _reload_functions(self, app: Application) -> None:
        """On a thread of its own."""
        problem: PylonError | None = None
        try:
            app.reload_functions()
        except PylonError as error:
            problem = error
        finally:
            self._steps.put(partial(self._functions_reloaded, app, problem))

    def _find_problems(self, app: Application) -> None:
        """On a thread of its own: the functions are still being loaded."""
        problems = app.functions.problems(app.clock.monotonic() + self._config.fn_call_timeout_s)
        self._steps.put(partial(self._tell_problems, app, problems))

    # The app

    def _start(self, loaded: LoadedManifest) -> None:
        app = self._serve(loaded)
        if not self._output.as_json:
            self._output.diagnostics(loaded.findings)
        self._announce(loaded)
        if self._rebuild == 1:
            show_banner(self._output, app, self._folder)
        spawn("find-function-problems", partial(self._find_problems, app))

    def _serve(self, loaded: LoadedManifest) -> Application:
        app = build(self._config, self._folder, loaded, self._beginning.environ, SystemClock())
        self._app = app
        app.start()
        self._config = replace(self._config, port=app.server.port)  # clients come back to where they were
        return app

    def _stop(self) -> None:
        app, self._app = self._app, None
        if app is not None:
            app.stop()

    def _save(self) -> None:
        """Nothing depends on it, so a folder that cannot be written to keeps nobody from working."""
        try:
            self._source.save()
        except PylonError as error:
            self._complain(error)
        self._renew_client()

    def _renew_client(self) -> None:
        if self._client is not None and self._app is not None:
            self._client.renew(self._app.loaded.manifest)

    def _complain(self, error: PylonError) -> None:
        self._output.aside(f"{error.message} {error.hint}")

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
                **entry_member(self._folder),
                "port": self._config.port,
                "diagnostics": loaded.findings,
            }
        )

    def _tell_problems(self, app: Application, problems: Sequence[FileProblem]) -> None:
        if app is not self._app:
            return
        folder = app.config.functions_dir
        found = [
            *(_in_words(problem, folder) for problem in problems),
            *declared_internal_functions(app.loaded.manifest, app.functions.registry()),
        ]
        if found:
            self._output.diagnostics(found)

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


def _in_words(wrong: FileProblem, folder: Path) -> Diagnostic:
    where = Span(file=str(folder / wrong.file), line=wrong.line)
    return replace_members(problem("FUNCTION_FILE_ERROR", wrong.message), span=where)
