"""``client_source``: the client of an app as the text of one file. Pure."""

from collections.abc import Callable, Mapping

from pylon_cli.codegen.model import ClientModel, FunctionFiles, describe
from pylon_cli.codegen.python import python
from pylon_cli.codegen.swift import swift
from pylon_cli.codegen.typescript import typescript
from pylon_core.manifest import AppManifest

TARGETS: Mapping[str, Callable[[ClientModel], str]] = {
    "ts": typescript,
    "typescript": typescript,
    "swift": swift,
    "python": python,
}


def client_source(target: str, manifest: AppManifest, functions: FunctionFiles | None) -> str:
    """``functions`` is ``None`` when they are not known."""
    return TARGETS[target](describe(manifest, functions))
