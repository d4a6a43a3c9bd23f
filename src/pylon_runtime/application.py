"""One running app: the place where everything is put together, and the order in which it starts and stops.

Stopping goes from the outside in: accept nothing more and finish requests in flight, close the sockets with a
normal frame, end the functions, close the database; each within what is left of one deadline. The owner calls
``start``, ``reload_functions`` and ``stop`` from one thread;
two applications in one process do not know each other.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import structlog

from pylon_auth import CredentialResolver, SessionStore
from pylon_core.clock import Clock
from pylon_core.errors import PylonError
from pylon_functions import FunctionHost
from pylon_router import UPLOAD_PATH, RouterContext, dispatch
from pylon_runtime import session_notices
from pylon_runtime.app_folder import AppFolder, LoadedManifest
from pylon_runtime.bun import BunRuntime
from pylon_runtime.bun_launch import BunOptions
from pylon_runtime.client_bundle import find_client_bundle
from pylon_runtime.config import EXTRA_PORTS, ServerConfig
from pylon_runtime.file_storage import open_file_storage
from pylon_runtime.gateway import Gateway, GatewayParts
from pylon_runtime.health import Health
from pylon_runtime.housekeeping import Housekeeper
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.hub import SYNC_PATHS, Hub, HubLimits, WebSocketEndpoint
from pylon_runtime.hub.close_codes import POLICY_VIOLATION
from pylon_runtime.proxies import client_ip
from pylon_runtime.server import PylonServer
from pylon_runtime.socket_auth import SocketAuthenticator
from pylon_runtime.static_files import StaticFiles
from pylon_runtime.stores import AppStore, Database, database_of, open_store
from pylon_runtime.uploads import Uploads
from pylon_runtime.version import VERSION
from pylon_runtime.wsgi import WsgiApp
from pylon_storage import EphemeralStore, SqlSessionBackend, parse_faults
from pylon_storage.files import FileLibrary, SqlFileIndex

log = structlog.get_logger("pylon.application")

FAULTS_VARIABLE = "PYLON_FAULTS"
"""Read for crash tests only, so it is not a setting; see ``pylon_storage.faults``."""

REQUESTS_SHARE = 0.75
"""How much of the time for stopping is for requests in flight."""


@dataclass(frozen=True)
class Application:
    config: ServerConfig
    loaded: LoadedManifest
    database: Database
    store: AppStore
    functions: BunRuntime
    hub: Hub
    gateway: Gateway
    server: PylonServer
    housekeeper: Housekeeper
    wsgi: WsgiApp
    clock: Clock

    def start(self) -> None:
        self.functions.start()
        self.hub.start()
        self.housekeeper.start()
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
            last_things.callback(self.functions.stop, deadline)
            last_things.callback(self.housekeeper.stop, deadline)
            last_things.callback(self.hub.stop, deadline)
            # A request that does not end must not cost the sockets their close frame.
            self.server.stop(now + self.config.drain_s * REQUESTS_SHARE)
        log.info("server_stopped", seconds=round(self.clock.monotonic() - now, 3))


def build(
    config: ServerConfig, folder: AppFolder, loaded: LoadedManifest, environ: Mapping[str, str], clock: Clock
) -> Application:
    """Everything constructed and the ports bound, nothing started.

    Raises ``PylonError``: SCHEMA_INIT_FAILED for the database, PORT_IN_USE for a taken port.
    """
    database = database_of(config, folder)
    with ExitStack() as undo:
        store = open_store(database, loaded, clock, parse_faults(environ.get(FAULTS_VARIABLE, "")))
        undo.callback(store.close)
        sessions = _open_sessions(store, loaded, clock)
        file_library = _open_files(config, folder, store, clock)
        runtime = BunRuntime(
            BunOptions(config.functions_dir, folder.root, environ, config.fn_workers),
            clock,
        )
        context = RouterContext(
            manifest=loaded.manifest,
            store=store,
            policies=loaded.policies,
            sessions=sessions,
            cookie=config.cookie(loaded.manifest.name),
            clock=clock,
            functions=FunctionHost(loaded.manifest, store, runtime, clock, config.fn_call_timeout_s),
            files=file_library,
            files_url=config.files.url_prefix,
            dev_mode=config.dev_mode,
        )
        limits = HubLimits(message_bytes_max=config.ws_frame_bytes_max)
        hub = Hub(loaded.policies, context.project, limits, clock)
        store.on_log_turned(hub.turn)
        hub.follow(store)
        if isinstance(store, EphemeralStore):
            context = replace(context, reset=partial(_reset, store, hub))
        credentials = CredentialResolver(sessions, config.admin_token)
        gateway = _gateway(config, folder, context, store, credentials)
        sessions.subscribe(lambda session_id: hub.close_session(session_id, POLICY_VIOLATION))
        wsgi = WsgiApp(gateway, config.files.bytes_max)
        endpoint = partial(
            WebSocketEndpoint,
            hub,
            SocketAuthenticator(credentials, context.cookie.name, config.sockets),
            partial(client_ip, trusted_hops=config.trust_proxy_hops),
            limits,
            clock,
            {},
        )
        server = _listen(config, gateway, endpoint, store, wsgi, clock)
        undo.callback(server.stop, clock.monotonic())
        if config.extra_ports:
            _listen_on_extra_port(server, config.host, gateway, endpoint(None))
        store.on_left_over(server.nudge)
        undo.pop_all()
    housekeeper = Housekeeper(
        partial(_sweep, sessions, file_library), partial(session_notices.review, sessions, hub), clock
    )
    session_notices.follow(store.tables, sessions, housekeeper)
    return Application(config, loaded, database, store, runtime, hub, gateway, server, housekeeper, wsgi, clock)


def _open_sessions(store: AppStore, loaded: LoadedManifest, clock: Clock) -> SessionStore:
    lifetime_s = loaded.manifest.auth.session.expires_in
    return SessionStore(SqlSessionBackend(store.tables), clock, secrets.token_bytes, lifetime_s=lifetime_s)


def _open_files(config: ServerConfig, folder: AppFolder, store: AppStore, clock: Clock) -> FileLibrary:
    storage = open_file_storage(config.files, folder.uploads(config))
    return FileLibrary(storage, SqlFileIndex(store.tables), clock, secrets.token_bytes)


def _gateway(
    config: ServerConfig,
    folder: AppFolder,
    context: RouterContext,
    store: AppStore,
    credentials: CredentialResolver,
) -> Gateway:
    parts = GatewayParts(
        config=config,
        credentials=credentials,
        cookie_name=context.cookie.name,
        files=StaticFiles(folder.public, find_client_bundle()),
        uploads=Uploads(config.files.bytes_max),
        clock=context.clock,
        random_bytes=secrets.token_bytes,
        health=Health(lambda: store.is_available, context.clock, VERSION),
    )
    return Gateway(parts, dispatch, context)


def _reset(store: EphemeralStore, hub: Hub) -> None:
    """The sockets end, so that replicas ask again and hear that theirs is of another time."""
    hub.turn(is_on=False)
    store.reset()
    hub.turn(is_on=True)


def _sweep(sessions: SessionStore, files: FileLibrary) -> int:
    removed = sessions.sweep()
    files.sweep()
    return removed


def _listen(
    config: ServerConfig,
    gateway: Gateway,
    endpoint: Callable[[frozenset[str] | None], WebSocketEndpoint],
    store: AppStore,
    wsgi: WsgiApp,
    clock: Clock,
) -> PylonServer:
    return PylonServer(
        config.host,
        config.port,
        gateway.begin,
        endpoint(SYNC_PATHS),
        ServerLimits(active_threads=config.active_threads, streamed_bytes_max=config.files.bytes_max),
        wsgi_app=wsgi,
        clock=clock,
        headers=gateway.common_headers,
        idle=store.flush,
        streamed_paths=(UPLOAD_PATH,),
    )


def _listen_on_extra_port(server: PylonServer, host: str, gateway: Gateway, endpoint: WebSocketEndpoint) -> None:
    try:
        server.add_listener(host, server.port + 1, gateway.begin, endpoint)
    except PylonError as error:
        raise PylonError(
            error.code,
            error.message,
            hint=f"Older clients look for sockets there. {EXTRA_PORTS.name}=0 does without.",
        ) from error
