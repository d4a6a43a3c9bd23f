"""``pylon dev --once``: what each rebuild does, a single time, without a server or a database (contract 16 §5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pylon_cli.app_source import AppSource, entry_member
from pylon_cli.banner import summary
from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.functions import announced, function_files, not_known
from pylon_cli.codegen.model import FunctionFiles
from pylon_cli.codegen.writing import CLIENT_FILE, write_client
from pylon_cli.output import Output
from pylon_core.clock import SystemClock
from pylon_core.diagnostics import Diagnostic
from pylon_core.manifest import AppManifest
from pylon_runtime.app_folder import AppFolder
from pylon_runtime.config import ServerConfig
from pylon_runtime.function_launch import StartFailed


def run_once(
    output: Output, folder: AppFolder, source: AppSource, config: ServerConfig, environ: Mapping[str, str]
) -> None:
    """Loads and checks the manifest and leaves it and the client beside the entry file.

    Raises ``PylonError`` for what keeps a server from starting, and when a file cannot be written.
    """
    loaded = source.load(config)
    source.save()
    functions = folder.functions(config)
    warnings = [*loaded.findings, *_write_client(output, folder, loaded.manifest, functions, environ)]
    output.event({"code": "DEV_OK", **_contents(loaded.manifest), **entry_member(folder), "warnings": warnings})
    if not output.as_json:
        output.diagnostics(warnings)
    output.show(summary(loaded.manifest))


def _write_client(
    output: Output, folder: AppFolder, manifest: AppManifest, functions: Path, environ: Mapping[str, str]
) -> Sequence[Diagnostic]:
    """What is to be said of it. A manifest that somebody wrote by hand has no client written beside it."""
    if folder.entry is None:
        return ()
    out = folder.entry.parent / CLIENT_FILE
    known: FunctionFiles | None = None
    problems: list[Diagnostic] = []
    try:
        known = function_files(announced(functions, environ, SystemClock(), output.aside), functions, out)
    except StartFailed as failure:
        problems.append(not_known(failure))
    write_client(out, client_source("ts", manifest, known))
    return problems


def _contents(manifest: AppManifest) -> Mapping[str, object]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "entities": [entity.name for entity in manifest.entities],
        "queries": [query.name for query in manifest.queries],
        "actions": [action.name for action in manifest.actions],
        "policies": [policy.name for policy in manifest.policies],
        "routes": [route.path for route in manifest.routes],
    }
