"""``pylon codegen client <manifest>``: a typed client of an app (contract 08 §8)."""

import os
from pathlib import Path

import click

from pylon_cli.codegen.client import TARGETS, client_source
from pylon_cli.codegen.functions import announced, function_files, not_known
from pylon_cli.codegen.model import FunctionFiles, called_by_clients
from pylon_cli.codegen.writing import write_client
from pylon_cli.output import Output
from pylon_cli.usage import CallError
from pylon_core.clock import SystemClock
from pylon_core.diagnostics import Diagnostic, Severity, Span
from pylon_core.manifest import MANIFEST_FILE, AppManifest, ManifestError, parse_manifest
from pylon_runtime.config import FUNCTIONS_DIR
from pylon_runtime.entry_file import ENTRY_FILE
from pylon_runtime.function_launch import StartFailed
from pylon_runtime.logs import configure_logs

_TYPESCRIPT = ("ts", "typescript")


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), required=False)
@click.option("--target", default="ts", help="ts (the default), swift or python.", metavar="LANGUAGE")
@click.option("--out", type=click.Path(path_type=Path), help="File to write the client to.")
@click.option(
    "--functions",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of the functions (default: beside MANIFEST).",
)
@click.pass_obj
def client(output: Output, manifest: Path | None, target: str, out: Path | None, folder: Path | None) -> None:
    """Write the client of the app whose MANIFEST this is: typed rows, inputs and functions, in one file."""
    configure_logs(as_json=output.as_json)
    if manifest is None:
        raise CallError(
            "CODEGEN_CLIENT_NO_MANIFEST", "Whose client?", f"For example `pylon codegen client {MANIFEST_FILE}`."
        )
    if target not in TARGETS:
        raise CallError(
            "CODEGEN_CLIENT_BAD_TARGET", f"There are no clients in {target}.", "Say ts, swift or python."
        )
    path = manifest / MANIFEST_FILE if manifest.is_dir() else manifest
    app = _read(path)
    functions = _functions(output, path.parent, folder, out if target in _TYPESCRIPT else None)
    source = client_source(target, app, functions)
    if out is None:
        output.text(source.removesuffix("\n"))
    else:
        write_client(out, source)
        _announce(output, app, functions, out)


def _read(path: Path) -> AppManifest:
    try:
        text = path.read_bytes()
    except OSError as error:
        problem = Diagnostic(
            severity=Severity.ERROR,
            code="MANIFEST_READ_FAILED",
            message=f"{path} cannot be read.",
            hint=_way_out(path) if isinstance(error, FileNotFoundError) else error.strerror,
            span=Span(file=str(path)),
        )
        raise ManifestError([problem]) from error
    return parse_manifest(text, str(path))


def _way_out(path: Path) -> str:
    """Of there being no manifest."""
    entry = path.parent / ENTRY_FILE
    if entry.is_file():
        return f"{ENTRY_FILE} builds it: run `pylon dev`, or `pylon codegen {entry} --out {path}`, first."
    return f"Name the folder of an app that has a {MANIFEST_FILE}; `pylon dev` makes one of an {ENTRY_FILE}."


def _functions(output: Output, app: Path, folder: Path | None, out: Path | None) -> FunctionFiles | None:
    """``None`` when they are not known: the app has no folder for them, or nobody can load it, which is told."""
    asked = folder or app / FUNCTIONS_DIR.read(os.environ)
    if folder is None and not asked.is_dir():
        return None
    try:
        return function_files(announced(asked.resolve(), os.environ, SystemClock(), output.aside), asked, out)
    except StartFailed as failure:
        output.aside(str(not_known(failure)))
        return None


def _announce(output: Output, app: AppManifest, functions: FunctionFiles | None, out: Path) -> None:
    counts = {
        "entities": len(app.entities),
        "queries": len(app.queries),
        "actions": len(app.actions),
        "functions": 0 if functions is None else len(called_by_clients(functions.announced)),
    }
    output.event({"code": "CODEGEN_CLIENT_OK", "path": str(out), **counts})
    output.show(f"Wrote {out}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}.")
