"""An app of TypeScript functions under real Bun over a real store, for tests to call."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_core.manifest import parse_manifest
from pylon_functions import FunctionHost
from pylon_http import Filter, Row
from pylon_runtime.bun import BunRuntime
from pylon_runtime.bun_launch import BunOptions
from pylon_storage import EphemeralStore

MANIFEST = parse_manifest(
    """{
  "manifest_version": 1, "name": "functions", "version": "1", "routes": [],
  "entities": [{"name": "Lot", "crdt": false, "indexes": [], "fields": [
    {"name": "title", "type": "string", "optional": false, "unique": true},
    {"name": "price", "type": "int", "optional": true, "unique": false},
    {"name": "open", "type": "bool", "optional": true, "unique": false}]},
  {"name": "Book", "indexes": [], "search": {"text": ["title"], "facets": ["shelf"]}, "fields": [
    {"name": "title", "type": "string", "optional": false, "unique": false},
    {"name": "shelf", "type": "string", "optional": true, "unique": false}]}]}"""
)
PATIENCE_S = 10.0


class BunApp:
    """``functions`` maps file names (``.ts`` is added to one without suffix) to what follows the import line;
    ``None``: the app has no folder of functions."""

    def __init__(
        self,
        folder: Path,
        functions: Mapping[str, str] | None,
        *,
        timeout_s: float = PATIENCE_S,
        workers: int = 1,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.folder = folder
        self.functions_dir = folder / "functions"
        if functions is not None:
            self.functions_dir.mkdir()
            for name, body in functions.items():
                self.write(name, body)
        self.clock = SystemClock()
        self.store = EphemeralStore(MANIFEST, watched={"Lot": frozenset()})
        self.runtime = BunRuntime(BunOptions(Path("functions"), folder, environ, workers), self.clock)
        self.host = FunctionHost(MANIFEST, self.store, self.runtime, self.clock, timeout_s)
        self.runtime.start()

    def write(self, name: str, body: str) -> None:
        file = name if "." in name else f"{name}.ts"
        header = 'import { action, mutation, query, v } from "@pylonsync/functions";\n'
        (self.functions_dir / file).write_text(header + body)

    def call(self, name: str, args: Any = None, auth: AuthContext = ANONYMOUS) -> Any:
        return jsontext.decode(bytes(self.host.call(name, {} if args is None else args, auth)))

    def patient_call(self, name: str, args: Any) -> Any:
        """A call whose own time does not run out before the test's."""
        host = FunctionHost(MANIFEST, self.store, self.runtime, self.clock, 6 * PATIENCE_S)
        return jsontext.decode(bytes(host.call(name, args, ANONYMOUS)))

    def code(self, name: str) -> str | None:
        """The error code a call ends with, ``None`` when it succeeds."""
        try:
            self.host.call(name, {}, ANONYMOUS)
        except PylonError as error:
            return error.code
        return None

    def fail(self, name: str, args: Any = None, auth: AuthContext = ANONYMOUS) -> PylonError:
        try:
            value = self.call(name, args, auth)
        except PylonError as error:
            return error
        raise AssertionError(f"{name} returned {value!r}")

    def lots(self) -> list[Row]:
        with self.store.read() as reader:
            return reader.query("Lot", Filter())

    def titles(self) -> list[str]:
        return [lot["title"] for lot in self.lots()]

    def reload(self) -> None:
        self.runtime.reload(self.clock.monotonic() + PATIENCE_S)

    def serving_pid(self) -> int:
        """The process that calls go to, as it says itself."""
        return int(self.call("pid"))

    def close(self) -> None:
        self.runtime.stop(self.clock.monotonic() + 2.0)
        self.store.close()


PID = "export default query({ handler: () => process.pid });"
