"""The watcher reports every change of the files and the tree it is given, and nothing else."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylon_cli.watching import Watcher, files, tree
from tests.support.waiting import until


class Watched:
    def __init__(self, folder: Path) -> None:
        self.manifest = folder / "pylon.manifest.json"
        self.functions = folder / "functions"
        self.elsewhere: list[Path] = []
        self.reports: list[str] = []
        self.manifest.write_text("{}")

    def watcher(self) -> Watcher:
        return Watcher(
            files(
                "manifest",
                self.manifest.parent,
                lambda: [self.manifest, *self.elsewhere],
                lambda: self.reports.append("manifest"),
            ),
            tree("functions", self.functions, lambda: self.reports.append("functions")),
        )

    def await_report(self, what: str) -> None:
        until(lambda: what in self.reports)
        self.reports.clear()

    def reports_only(self, what: str) -> None:
        """A later change is reported, and by then no earlier one was."""
        until(lambda: bool(self.reports))
        assert set(self.reports) == {what}


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@pytest.fixture
def watcher(watched: Watched) -> Iterator[Watcher]:
    watched.functions.mkdir()
    watcher = watched.watcher()
    watcher.start()
    yield watcher
    watcher.stop()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")]


@pytest.mark.usefixtures("watcher")
def test_a_change_of_the_manifest(watched: Watched) -> None:
    watched.manifest.write_text('{"name": "x"}')
    watched.await_report("manifest")

    fresh = watched.manifest.with_suffix(".new")
    fresh.write_text('{"name": "y"}')
    fresh.replace(watched.manifest)
    watched.await_report("manifest")


@pytest.mark.usefixtures("watcher")
def test_a_function_added_changed_and_removed(watched: Watched) -> None:
    file = watched.functions / "lib" / "shared.ts"
    file.parent.mkdir()
    file.write_text("1")
    watched.await_report("functions")

    file.write_text("22")
    watched.await_report("functions")

    file.unlink()
    watched.await_report("functions")


def test_a_change_before_the_watching_begins_is_reported(watched: Watched) -> None:
    watched.functions.mkdir()
    watcher = watched.watcher()
    watched.manifest.write_text('{"name": "x"}')
    (watched.functions / "a.ts").write_text("1")

    watcher.start()

    until(lambda: set(watched.reports) == {"manifest", "functions"})
    watcher.stop()


def test_a_functions_folder_that_comes_goes_and_comes_again(watched: Watched) -> None:
    watcher = watched.watcher()
    watcher.start()

    for _ in range(2):
        watched.functions.mkdir()
        (watched.functions / "a.ts").write_text("1")
        watched.await_report("functions")
        (watched.functions / "a.ts").unlink()
        watched.functions.rmdir()
        watched.await_report("functions")
    watcher.stop()


@pytest.mark.usefixtures("watcher")
def test_other_files_are_nobodys_business(watched: Watched) -> None:
    (watched.manifest.parent / "README.md").write_text("hello")
    (watched.manifest.parent / ".pylon").mkdir()
    packages = watched.functions / "node_modules"
    packages.mkdir()
    (packages / "left-pad.js").write_text("1")

    watched.manifest.write_text('{"name": "x"}')

    watched.reports_only("manifest")


def test_stopping_before_the_start_and_twice(watched: Watched) -> None:
    watcher = watched.watcher()
    watcher.stop()
    watcher.start()
    watcher.stop()
    watcher.stop()


@pytest.mark.usefixtures("watcher")
def test_files_of_other_folders_that_are_named_later_are_watched_too(watched: Watched) -> None:
    module = watched.manifest.parent / "schema" / "todo.ts"
    module.parent.mkdir()
    module.write_text("1")

    watched.elsewhere.append(module)
    watched.await_report("manifest")

    module.write_text("22")
    watched.await_report("manifest")
