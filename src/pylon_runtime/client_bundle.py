"""Where the browser client that is served at ``/_pylon/sync.js`` lies: in the wheel, or in a checkout."""

from pathlib import Path

_HERE = Path(__file__).resolve()
_PLACES = (
    _HERE.parent / "client" / "sync.js",
    _HERE.parents[2] / "packages" / "sync" / "dist" / "sync.js",
)


def find_client_bundle() -> Path | None:
    return next((path for path in _PLACES if path.is_file()), None)
