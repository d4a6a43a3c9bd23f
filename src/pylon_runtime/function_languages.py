"""The languages functions are written in, and what runs each. Any thread may call it."""

import sys

from pylon_runtime.bun_locate import INSTALL_BUN, find_bun, find_runtime_script
from pylon_runtime.function_launch import FunctionOptions, Language, NotConfigured


def _bun(options: FunctionOptions, folder: str) -> list[str]:
    bun = find_bun(options.environ)
    if bun is None:
        raise NotConfigured(f"Bun was not found. {INSTALL_BUN}")
    script = find_runtime_script(options.cwd, options.environ)
    if script is None:
        raise NotConfigured("its script runtime.ts was not found; PYLON_FUNCTIONS_RUNTIME can name it")
    # No installing, because a server must not fetch code for a mistyped import.
    return [str(bun), "run", "--no-install", str(script), folder]


def _python(_options: FunctionOptions, folder: str) -> list[str]:
    # -P: no file of the app's may stand in for a module of the standard library's.
    return [sys.executable, "-P", "-m", "pylon_functions.python", folder]


TYPESCRIPT = Language("TypeScript", "Bun", (".ts", ".js"), _bun)
PYTHON = Language("Python", "Python", (".py",), _python)
LANGUAGES = (TYPESCRIPT, PYTHON)
"""Of two functions with one name the one in the first language counts."""
