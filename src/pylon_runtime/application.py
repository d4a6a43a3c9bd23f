"""One running app: its parts, and the order in which they start and stop.

Stopping goes from the outside in: accept nothing more and finish requests in flight, close the sockets with a
normal frame, end the functions, close the database; each within what is left of one deadline. The owner calls
``start``, ``reload_functions`` and ``stop`` from one thread;
two applications in one process do not know each other.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from pylon_core.clock import Clock
from pylon_runtime.app_folder import LoadedManifest
from pylon_runtime.arenas import share_arenas
from pylon_runtime.config import ServerConfig
from pylon_runtime.function_runtime import FunctionRuntime
from pylon_runtime.gateway import Gateway
from pylon_runtime.housekeeping import Housekeeper
from pylon_runtime.hub import Documents, Hub, LiveQueries
from pylon_runtime.jobs import BackgroundJobs
from pylon_runtime.log_keeping import LogKeeper
from pylon_runtime.pushed_bodies import PushedBodies
from pylon_runtime.server import PylonServer
from pylon_runtime.stores import AppStore, Database
from pylon_runtime.workflows.workflows import Workflows
from pylon_runtime.wsgi import WsgiApp

log = structlog.get_logger("pylon.application")

REQUESTS_SHARE = 0.75
"""How much of the time for stopping is for requests in flight."""
JOBS_SHARE = 0.9
"""When jobs have to have ended as well."""


@dataclass(frozen=True)
class Application:
    config: ServerConfig
    loaded: LoadedManifest
    database: Database
    store: AppStore
    functions: FunctionRuntime
    jobs: BackgroundJobs
    workflows: Workflows
    hub: Hub
    documents: Documents
    live_queries: LiveQueries
    pushed: PushedBodies
    gateway: Gateway
    server: PylonServer
    housekeeper: Housekeeper
    log_keeper: LogKeeper
    wsgi: WsgiApp
    clock: Clock

    def start(self) -> None:
        share_arenas()
        self.functions.start()
        self.jobs.start()
        self.hub.start()
        self.documents.start()
        self.live_queries.start()
        self.housekeeper.start()
        self.log_keeper.start()
        self.server.start()

    def reload_functions(self) -> None:
        """Functions changed on disk: new calls go to a child that has read them anew."""
        self.functions.reload(self.clock.monotonic() + self.config.fn_call_timeout_s)

    def stop(self) -> None:
        """Stop within ``config.drain_s``; what did not end is logged by its part."""
        now = self.clock.monotonic()
        deadline = now + self.config.drain_s
        log.info("server_stopping", port=self.server.port, drain_s=self.config.drain_s)
        with ExitStack() as last_things:
            last_things.callback(self.store.close)
            last_things.callback(self.workflows.close)
            last_things.callback(self.pushed.stop, deadline)
            last_things.callback(self.functions.stop, deadline)
            last_things.callback(self.log_keeper.stop, deadline)
            last_things.callback(self.housekeeper.stop, deadline)
            last_things.callback(self.live_queries.stop, deadline)
            last_things.callback(self.documents.stop, deadline)
            last_things.callback(self.hub.stop, deadline)
            last_things.callback(self.jobs.stop, now + self.config.drain_s * JOBS_SHARE)
            self.jobs.claim_no_more()
            # A request that does not end must not cost the sockets their close frame.
            self.server.stop(now + self.config.drain_s * REQUESTS_SHARE)
        log.info("server_stopped", seconds=round(self.clock.monotonic() - now, 3))
