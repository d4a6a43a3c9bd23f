"""Runs an app's entry file (``app.ts``) with Bun and takes the manifest out of what it says (contract 08 §5).

The manifest is what the entry prints. When it prints other things too, it can still be told apart if the entry
uses the schema SDK: then our script, which Bun loads before the entry, has noted what ``buildManifest`` gave. The
note also names the modules the entry was made of. One thread builds; a signal handler of it may ``cancel``.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from pylon_core.errors import PylonError
from pylon_core.manifest import ManifestError, parse_manifest
from pylon_runtime.bun_locate import INSTALL_BUN, find_bun
from pylon_runtime.function_environment import functions_environment

ENTRY_FILE = "app.ts"
ENTRY_SUFFIXES = frozenset({".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs"})

ENTRY_SECONDS_MAX = 60.0
"""An entry only puts a manifest together; one that takes longer waits for something that will not come."""

HINT_CHARACTERS_MAX = 4_000
"""Of what an entry said: its end, where the reason is."""

_REPORT_VARIABLE = "PYLON_ENTRY_REPORT"
_HERE = Path(__file__).resolve()
_PRELOADS = (
    _HERE.parent / "sdk" / "preload.ts",
    _HERE.parents[2] / "packages" / "sdk" / "src" / "preload.ts",
)
"""In the wheel, and in a checkout."""

_LINE_WITH_OBJECT = re.compile(r"^[ \t]*(?=\{)", re.MULTILINE)


@dataclass(frozen=True)
class BuiltManifest:
    """``text`` parses as a manifest. ``said`` is whatever else the entry printed, for its author. ``modules`` are
    the files it was made of, as far as that is known."""

    text: str
    said: str
    modules: frozenset[Path]


class EntryFile:
    def __init__(self, path: Path, cwd: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self._cwd = cwd
        self._environ = environ
        self._process: subprocess.Popen[str] | None = None

    def build(self) -> BuiltManifest:
        """Raises ``PylonError``: BUN_EXEC_FAILED, BUN_EXIT, BUN_INVALID_OUTPUT."""
        with tempfile.TemporaryDirectory(prefix="pylon-entry-") as folder:
            report_file = Path(folder, "report.json")
            stdout, stderr = self._run(report_file)
            report = _read_report(report_file)
        found = _find_manifest(stdout, report, self.path.name)
        said = "\n".join(part for part in (found.said, stderr.strip()) if part)
        return BuiltManifest(found.text, said, frozenset(map(Path, report.modules)))

    def cancel(self) -> None:
        """End a build that is under way; it raises BUN_EXIT."""
        if (process := self._process) is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _run(self, report: Path) -> tuple[str, str]:
        process = self._process = self._start(report)
        try:
            stdout, stderr = process.communicate(timeout=ENTRY_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise PylonError(
                "BUN_EXIT",
                f"{self.path.name} did not end within {ENTRY_SECONDS_MAX:.0f} seconds.",
                hint="An entry file only builds the manifest: no servers, timers or open connections.",
            ) from None
        finally:
            self._end(process)
        if process.returncode != 0:
            raise PylonError(
                "BUN_EXIT",
                f"bun run {self.path.name} {_in_words(process.returncode)}.",
                hint=(stderr.strip() or stdout.strip())[-HINT_CHARACTERS_MAX:] or None,
            )
        return stdout, stderr

    def _start(self, report: Path) -> "subprocess.Popen[str]":
        bun = find_bun(self._environ)
        if bun is None:
            raise PylonError("BUN_EXEC_FAILED", f"Bun was not found; it runs {self.path.name}.", hint=INSTALL_BUN)
        preload = next((path for path in _PRELOADS if path.is_file()), None)
        # No installing: a command that looks at a schema must not fetch code for a mistyped import.
        options = ["--no-install", *(("--preload", str(preload)) if preload else ())]
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(
                [str(bun), "run", *options, "--", os.path.abspath(self._cwd / self.path)],
                env={**functions_environment(self._environ), _REPORT_VARIABLE: str(report)},
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                encoding="utf-8",
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise PylonError(
                "BUN_EXEC_FAILED", f"Bun could not be started: {error.strerror}.", hint=INSTALL_BUN
            ) from error

    def _end(self, process: "subprocess.Popen[str]") -> None:
        """Also what it started, however the wait for it ended; then nothing holds its pipes any more."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self._process = None


class _Report(msgspec.Struct, frozen=True):
    """What our script noted: the manifests as JSON texts, and paths."""

    built: tuple[msgspec.Raw, ...] = ()
    modules: tuple[str, ...] = ()


def _read_report(file: Path) -> _Report:
    """Nothing was noted when there is no script, or the entry had another copy of the SDK."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Report)
    except (OSError, msgspec.DecodeError):
        return _Report()


class _Found(NamedTuple):
    text: str
    said: str


def _find_manifest(stdout: str, report: _Report, name: str) -> _Found:
    text = stdout.strip()
    problem = _why_no_manifest(text, name)
    if problem is None:
        return _Found(text, "")
    candidates = list(_printed_manifests(text)) if report.built else []
    if not candidates:
        candidates = [_Found(bytes(built).decode(), text) for built in report.built]
    if len(candidates) == 1:
        problem = _why_no_manifest(candidates[0].text, name)
        if problem is None:
            return candidates[0]
    elif candidates:
        problem = f"There are {len(candidates)} manifests; print the one that counts."
    raise PylonError("BUN_INVALID_OUTPUT", f"What {name} printed is not a manifest.", hint=problem)


def _why_no_manifest(text: str, name: str) -> str | None:
    try:
        parse_manifest(text, name)
    except ManifestError as error:
        return error.message
    return None


def _printed_manifests(text: str) -> Iterator[_Found]:
    """The JSON objects that begin a line and say which version of the manifest they are; each with the rest."""
    decoder = json.JSONDecoder()
    end = 0
    for line in _LINE_WITH_OBJECT.finditer(text):
        if line.end() < end:
            continue
        try:
            document, end = decoder.raw_decode(text, line.end())
        except (ValueError, RecursionError):
            continue
        if "manifest_version" in document:
            yield _Found(text[line.end() : end], (text[: line.end()] + text[end:]).strip())


def _in_words(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"exited with status {returncode}"
