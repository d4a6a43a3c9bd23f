"""An app's folder: where its entry file, manifest, functions and pages are, and reading the manifest.

A relative path in the configuration is relative to the folder, wherever the command was started.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pylon_core.diagnostics import Diagnostic, Severity, Span, has_errors
from pylon_core.manifest import MANIFEST_FILE, AppManifest, ManifestError, parse_manifest
from pylon_core.manifest_checks import check_manifest
from pylon_policy import PolicyEngine
from pylon_runtime.config import DEFAULT_POLICY, ServerConfig


@dataclass(frozen=True)
class AppFolder:
    """``entry`` is the file that builds the manifest; without one the manifest is what its author wrote."""

    root: Path
    entry: Path | None = None

    @property
    def manifest(self) -> Path:
        return self.root / MANIFEST_FILE

    @property
    def public(self) -> Path:
        return self.root / "public"

    def uploads(self, config: ServerConfig) -> Path:
        return self.root / (config.files.folder or config.db_path.parent / "uploads")

    def functions(self, config: ServerConfig) -> Path:
        return self.root / config.functions_dir


@dataclass(frozen=True)
class LoadedManifest:
    """A manifest fit to be served, its policies compiled, and what is worth telling its author."""

    manifest: AppManifest
    policies: PolicyEngine
    findings: tuple[Diagnostic, ...]


def load_manifest(folder: AppFolder, config: ServerConfig) -> LoadedManifest:
    """The manifest as its file says. Raises ``ManifestError``, as ``read_manifest`` and when there is no file."""
    try:
        text = folder.manifest.read_bytes()
    except OSError as error:
        raise ManifestError([_unreadable(error)]) from error
    return read_manifest(text, config)


def read_manifest(text: bytes | str, config: ServerConfig, file: str = MANIFEST_FILE) -> LoadedManifest:
    """Raises ``ManifestError`` with everything that is wrong; ``file`` is the name diagnostics give the text."""
    manifest = parse_manifest(text, file)
    findings = check_manifest(manifest, file)
    if has_errors(findings):
        raise ManifestError(findings)
    policies = PolicyEngine(manifest, default_allow=config.default_policy_allows)
    findings = [*findings, *policies.diagnostics, *_uncovered(policies, config, file)]
    if has_errors(findings):
        raise ManifestError(findings)
    return LoadedManifest(manifest, policies, tuple(findings))


def _uncovered(policies: PolicyEngine, config: ServerConfig, file: str) -> Iterator[Diagnostic]:
    """What an entity without a policy means is never decided silently."""
    if policies.uncovered_entities:
        names = ", ".join(policies.uncovered_entities)
        meaning = "open to everyone" if config.default_policy_allows else "closed to all but the administrator"
        yield Diagnostic(
            severity=Severity.WARNING,
            code="ENTITY_WITHOUT_POLICY",
            message=f"No policy covers {names}: {meaning}.",
            hint=f"Write a policy; {DEFAULT_POLICY.name} decides for entities without one.",
            span=Span(file=file),
        )


def _unreadable(error: OSError) -> Diagnostic:
    missing = isinstance(error, FileNotFoundError)
    return Diagnostic(
        severity=Severity.ERROR,
        code="MANIFEST_READ_FAILED",
        message=f"There is no {MANIFEST_FILE} here." if missing else f"{MANIFEST_FILE} cannot be read.",
        hint="Name the folder of your app, `pylon dev path/to/app`, or write an app.ts."
        if missing
        else error.strerror,
        span=Span(file=MANIFEST_FILE),
    )
