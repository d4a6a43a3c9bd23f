"""Which files of an app are tests (contract 16 §10). Pure but for looking at files."""

import enum
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pylon_core.errors import PylonError

DIRECTORY_VARIABLE = "PYLON_TEST_DIR"
_DIRECTORIES = ("tests", "functions")
_NOT_SOURCES = frozenset({"node_modules", "__pycache__"})


class Language(enum.Enum):
    TYPESCRIPT = enum.auto()
    PYTHON = enum.auto()


class CaseFile(NamedTuple):
    """A file of tests; ``name`` is its path in the app."""

    name: str
    language: Language


def find_test_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """Where the tests of an app are. Raises ``PylonError`` TEST_DIR_NOT_FOUND."""
    named = environ.get(DIRECTORY_VARIABLE)
    names = (named,) if named else _DIRECTORIES
    found = next((root / name for name in names if (root / name).is_dir()), None)
    if found is None:
        places = " or ".join(f"{name}/" for name in names)
        raise PylonError(
            "TEST_DIR_NOT_FOUND", f"There is no folder {places} here.", hint=f"{DIRECTORY_VARIABLE} names another."
        )
    return found


def find_test_files(root: Path, folder: Path, part: str) -> list[CaseFile]:
    """Those below a folder whose paths have ``part`` in them, in the order of their paths."""
    files = (CaseFile(os.path.relpath(path, root), language) for path, language in _files(folder))
    return sorted((file for file in files if part in file.name), key=lambda file: file.name)


def _files(folder: Path) -> Iterator[tuple[str, Language]]:
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES and not name.startswith(".")]
        for name in names:
            language = _language_of(name)
            if language is not None:
                yield os.path.join(directory, name), language


def _language_of(name: str) -> Language | None:
    if name.endswith((".test.ts", ".test.js")):
        return Language.TYPESCRIPT
    if name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py")):
        return Language.PYTHON
    return None
