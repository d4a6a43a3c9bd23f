"""Writes generated clients to files. Call it from one thread at a time."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.functions import announced, function_files
from pylon_cli.codegen.model import FunctionFiles
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_runtime.function_launch import StartFailed

CLIENT_FILE = "pylon.client.ts"


def write_client(out: Path, source: str) -> None:
    """Makes the folders it needs; leaves a file that says the same alone, so that nothing is built anew for it.

    Raises ``PylonError`` CODEGEN_CLIENT_WRITE_FAILED.
    """
    text = source.encode()
    try:
        if not out.is_file() or out.read_bytes() != text:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(text)
    except OSError as error:
        raise PylonError(
            "CODEGEN_CLIENT_WRITE_FAILED", f"{out} cannot be written.", hint=error.strerror
        ) from error


def write_client_beside(
    entry: Path, manifest: AppManifest, functions: Path, environ: Mapping[str, str], clock: Clock
) -> None:
    """``pylon.client.ts`` next to the entry file that built the manifest; the functions are in the folder named.

    Waits until these are loaded, so it is not for the main thread of a server. Those that cannot be loaded are in
    no client, and whoever serves them says why. Raises ``PylonError`` CODEGEN_CLIENT_WRITE_FAILED.
    """
    out = entry.parent / CLIENT_FILE
    known: FunctionFiles | None = None
    with suppress(StartFailed):
        known = function_files(announced(functions, environ, clock, _said_elsewhere), functions, out)
    write_client(out, client_source("ts", manifest, known))


def _said_elsewhere(_line: str) -> None:
    """What function files print as they are loaded goes to the log of the server that loads them too."""
