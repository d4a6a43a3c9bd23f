"""An app of TypeScript functions under real Bun over a real store, for tests to call."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core import jsontext
from pylon_core.clock import SystemClock
from pylon_core.errors import PylonError
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_http import Filter, Row
from pylon_runtime.function_launch import FunctionOptions
from pylon_runtime.function_runtime import FunctionRuntime
from pylon_storage import EphemeralStore
from tests.pylon_functions.lots import MANIFEST

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
        self.runtime = FunctionRuntime(FunctionOptions(Path("functions"), folder, environ, workers), self.clock)
        self.host = FunctionHost(MANIFEST, self.store, self.runtime, self.clock, timeout_s)
        self.runtime.start()

    def write(self, name: str, body: str) -> None:
        file = name if "." in name else f"{name}.ts"
        header = (
            "" if file.endswith(".py") else 'import { action, mutation, query, v } from "@pylonsync/functions";\n'
        )
        (self.functions_dir / file).write_text(header + body)

    def call(self, name: str, args: Any = None, auth: AuthContext = ANONYMOUS) -> Any:
        return jsontext.decode(bytes(self.host.run(Invocation(name, {} if args is None else args, auth))))

    def patient_call(self, name: str, args: Any) -> Any:
        """A call whose own time does not run out before the test's."""
        host = FunctionHost(MANIFEST, self.store, self.runtime, self.clock, 6 * PATIENCE_S)
        return jsontext.decode(bytes(host.run(Invocation(name, args, ANONYMOUS))))

    def code(self, name: str) -> str | None:
        """The error code a call ends with, ``None`` when it succeeds."""
        try:
            self.host.run(Invocation(name, {}, ANONYMOUS))
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
