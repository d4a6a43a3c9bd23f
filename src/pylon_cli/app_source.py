"""Where an app's manifest comes from: its entry file, run anew for each load, or a manifest somebody wrote.

Main thread only, but for ``files``, which a watcher may read on its own.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pylon_cli.output import Output
from pylon_core.errors import PylonError
from pylon_runtime.app_folder import AppFolder, LoadedManifest, load_manifest, read_manifest
from pylon_runtime.config import ServerConfig
from pylon_runtime.entry_file import ENTRY_SUFFIXES, EntryFile

_GENERATED = "pylon."
"""What files that are made from the manifest, and the manifest itself, begin with."""


class AppSource:
    """``output`` is shown what an entry file prints beside the manifest."""

    def __init__(self, folder: AppFolder, environ: Mapping[str, str], output: Output) -> None:
        self._folder = folder
        self._output = output
        self._entry = None if folder.entry is None else EntryFile(folder.entry, folder.root, environ)
        self._modules: frozenset[Path] = frozenset()
        self._text = ""

    def load(self, config: ServerConfig) -> LoadedManifest:
        """Raises ``PylonError``: what keeps the entry from building a manifest, or ``ManifestError``."""
        if self._entry is None:
            return load_manifest(self._folder, config)
        built = self._entry.build()
        self._modules = built.modules
        self._output.aside(built.said)
        loaded = read_manifest(built.text, config, self._entry.path.name)
        self._text = built.text
        return loaded

    def save(self) -> None:
        """Leave what the entry built beside it, for people and tools.

        Raises ``PylonError`` CODEGEN_WRITE_FAILED.
        """
        if self._entry is not None:
            write_manifest(self._folder.manifest, self._text)

    def cancel(self) -> None:
        """End a ``load`` that is under way; it raises. For a signal handler."""
        if self._entry is not None:
            self._entry.cancel()

    def files(self) -> Iterator[Path]:
        """What the manifest is made of: the scripts beside the entry, and the modules it imported last time.

        A module that is new here looks like one that changed, so all is loaded once more: it may have changed.
        """
        if self._entry is None:
            yield self._folder.manifest
            return
        yield from self._modules
        with suppress(FileNotFoundError), os.scandir(self._folder.root) as beside:
            for entry in beside:
                if Path(entry.name).suffix in ENTRY_SUFFIXES and not entry.name.startswith(_GENERATED):
                    yield Path(entry.path)


def entry_member(folder: AppFolder) -> dict[str, str]:
    """What tells a program which entry file the served manifest came from, if from one."""
    return {} if folder.entry is None else {"entry": folder.entry.name}


def write_manifest(path: Path, text: str) -> None:
    """In one step, so that nobody reads half of it, and only if it changes anything."""
    content = f"{text}\n".encode()
    fresh = path.parent / f".pylon.manifest.{os.getpid()}"
    try:
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(content)
            fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise PylonError("CODEGEN_WRITE_FAILED", f"{path} cannot be written.", hint=error.strerror) from error
