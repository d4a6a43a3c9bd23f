"""How the app's own modules are imported: from their sources as they are now, whatever compiled copies say.

A compiled copy counts as fresh when the time in whole seconds and the size are those of the source, and two saves
within a second are nothing special under ``pylon dev``. Writing none keeps the functions folder clean, too.
"""

import sys
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType

_FALLBACK_NAME = "functions"


class _SourceLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def provide_package(folder: Path) -> str:
    """Make the folder a package, so that its modules shadow nobody's and import each other as
    ``from functions.prices import total`` or ``from .prices import total``.

    Its name is the folder's, unless that is another module's; returns it.
    """
    _import_from_sources(folder)
    package = ModuleType(_package_name(folder))
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    return package.__name__


def _package_name(folder: Path) -> str:
    name = folder.name
    is_taken = name in sys.modules or name in sys.stdlib_module_names
    return _FALLBACK_NAME if is_taken or not name.isidentifier() else name


def _import_from_sources(folder: Path) -> None:
    """Of the folder, what is below it, and the folder it is in, where the app's other modules are."""
    make_finder = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceLoader, SOURCE_SUFFIXES))

    def hook(path: str) -> PathEntryFinder:
        there = Path(path).resolve()
        if there != folder.parent and not there.is_relative_to(folder):
            raise ImportError(path)
        return make_finder(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()
