"""The workflows of one server, put together: the engine and the runners it asks. The owner closes them."""

import secrets
from dataclasses import dataclass
from typing import Protocol

from pylon_core.clock import Clock
from pylon_functions.host import FunctionHost
from pylon_http.workflows import WorkflowStore
from pylon_runtime.sweeping import Sweeper
from pylon_runtime.workflow_config import WorkflowConfig
from pylon_runtime.workflows.engine import WorkflowEngine
from pylon_runtime.workflows.runners import FunctionsRunner, PassRunner
from pylon_runtime.workflows.sweeping import workflow_sweeper


class OutsideRunner(PassRunner, Protocol):
    def close(self) -> None: ...


@dataclass(frozen=True)
class Workflows:
    engine: WorkflowEngine
    sweeper: Sweeper
    outside: OutsideRunner | None

    @classmethod
    def over(cls, store: WorkflowStore, host: FunctionHost, config: WorkflowConfig, clock: Clock) -> "Workflows":
        """Those of the functions folder, and of the runner outside if there is one."""
        outside = _outside(config)
        inside = FunctionsRunner(host)
        runners = (inside,) if outside is None else (inside, outside)
        engine = WorkflowEngine(store, runners, clock, secrets.token_bytes)
        return cls(engine, workflow_sweeper(store, clock, config.retention_days), outside)

    def close(self) -> None:
        if self.outside is not None:
            self.outside.close()


def _outside(config: WorkflowConfig) -> OutsideRunner | None:
    if config.runner_url is None:
        return None
    from pylon_runtime.workflows.http_runner import HttpRunner

    return HttpRunner(config.runner_url, config.runner_secret)
