"""Which files beside the functions folder an app's functions may be made of. Pure but for looking at files."""

from collections.abc import Iterator
from pathlib import Path


def python_modules(root: Path) -> Iterator[Path]:
    """The modules in the app's folder, and those of the packages there: Python functions can import both."""
    yield from root.glob("*.py")
    for package in root.glob("*/__init__.py"):
        yield from package.parent.rglob("*.py")
