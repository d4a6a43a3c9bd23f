"""Runs wrk and reads what it measured: requests per second, latencies, and every answer that was not a success."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = r"""
local ids = {}
init = function(args)
  if args[1] ~= nil then
    for line in io.lines(args[1]) do ids[#ids + 1] = line end
  end
  math.randomseed(os.time())
end
request = function()
%(request)s
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %%d, "seconds": %%f, "failed": %%d, "p50_ms": %%f, "p99_ms": %%f, "max_ms": %%f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk sends. ``request`` is Lua that returns one request and may use ``ids``, lines of a file."""

    request: str
    ids: Path | None = None


@dataclass(frozen=True)
class Measurement:
    requests: int
    failed: int
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def measure(url: str, load: Load, connections: int, seconds: int, cpu: int | None = None) -> Measurement:
    """One wrk run with one thread; ``cpu`` pins it. Failed answers are counted, not hidden."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % {"request": load.request})
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script.name, url]
        if load.ids is not None:
            command += ["--", str(load.ids)]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    result = json.loads(found[1])
    return Measurement(
        requests=result["requests"],
        failed=result["failed"],
        per_second=result["requests"] / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        max_ms=result["max_ms"],
    )
