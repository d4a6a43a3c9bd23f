"""Which Bun and which script: the order of the search."""

from pathlib import Path

import pylon_functions
from pylon_runtime.bun_locate import find_bun, find_runtime_script

SHIPPED = Path(pylon_functions.__file__).parents[2] / "packages/functions/src/runtime.ts"
COPIES = (
    "node_modules/@pylonsync/functions/src/runtime.ts",
    "node_modules/@pylonsync/functions/dist/runtime.js",
    "node_modules/@pylon/functions/src/runtime.ts",
    "node_modules/@pylon/functions/dist/runtime.js",
    "packages/functions/src/runtime.ts",
)


def make(path: Path, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(mode)
    return path


def test_a_named_bun_wins_and_a_wrong_name_is_not_replaced_by_another(tmp_path: Path) -> None:
    named = make(tmp_path / "mine" / "bun", 0o755)
    path = str(make(tmp_path / "path" / "bun", 0o755).parent)

    assert find_bun({"PYLON_BUN": str(named), "PATH": path}) == named
    assert find_bun({"PYLON_BUN": "/no/such/bun", "PATH": path}) is None
    assert find_bun({"PATH": path}) == tmp_path / "path" / "bun"


def test_bun_is_found_beside_python_without_a_path(tmp_path: Path) -> None:
    assert find_bun({"PATH": str(tmp_path)}) is not None


def test_the_nearest_script_in_the_published_order_wins(tmp_path: Path) -> None:
    app, home = tmp_path / "outer" / "app", tmp_path / "home"
    app.mkdir(parents=True)
    environ = {"HOME": str(home)}
    assert find_runtime_script(app, environ) == SHIPPED

    nearer_and_nearer = [home / ".pylon" / "runtime.ts", tmp_path / "outer" / COPIES[0]]
    for expected in [*nearer_and_nearer, *(app / copy for copy in reversed(COPIES))]:
        make(expected)
        assert find_runtime_script(app, environ) == expected

    named = make(tmp_path / "named.ts")
    assert find_runtime_script(app, {**environ, "PYLON_FUNCTIONS_RUNTIME": str(named)}) == named
    assert find_runtime_script(app, {**environ, "PYLON_FUNCTIONS_RUNTIME": "/no/such"}) == app / COPIES[0]
