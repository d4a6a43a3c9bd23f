"""The ``pylon`` command, with a log keeper that never rests: everything settles and expires within moments."""

import sys

from pylon_cli.main import main
from pylon_core.clock import Clock
from pylon_runtime import composition
from pylon_runtime.config import ServerConfig
from pylon_runtime.log_keeping import LogKeeper
from pylon_runtime.stores import AppStore
from pylon_runtime.workflows.workflows import Workflows
from pylon_storage.compaction import Compactor
from pylon_storage.operations import OperationSweeper


class EagerCompactor(Compactor):
    def is_due(self) -> bool:
        return True


class EagerSweeper(OperationSweeper):
    def is_due(self) -> bool:
        return True


def eager_log_keeper(config: ServerConfig, store: AppStore, workflows: Workflows, clock: Clock) -> LogKeeper:
    chores = (
        EagerCompactor(store.upkeep, clock, retention_s=0.1, settling_s=0.02, batch_entries=7),
        EagerSweeper(store.upkeep, clock, retention_s=0.1),
    )
    return LogKeeper(chores, clock, interval_s=0.005, pause_s=0.0005)


if __name__ == "__main__":
    composition._log_keeper = eager_log_keeper
    sys.exit(main())
