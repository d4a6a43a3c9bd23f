"""The composition root: the one place where the parts of a server are chosen, made and told of each other.

``build`` makes everything and starts nothing; what it returns is an ``Application``, which knows the order of
starting and stopping. It is called once for each app, by any thread; two of them in one process share nothing.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

from pylon_auth import CredentialResolver, SessionStore
from pylon_core.clock import Clock
from pylon_functions.host import FunctionHost
from pylon_functions.traces import VALUE_BYTES_MAX, Traces
from pylon_router import UPLOAD_PATH, RouterContext, UserGuard, dispatch
from pylon_runtime import session_notices
from pylon_runtime.app_folder import AppFolder, LoadedManifest
from pylon_runtime.application import Application
from pylon_runtime.client_bundle import find_client_bundle
from pylon_runtime.config import ServerConfig
from pylon_runtime.file_storage import open_file_storage
from pylon_runtime.function_launch import FunctionOptions
from pylon_runtime.function_runtime import FunctionRuntime
from pylon_runtime.gateway import Gateway, GatewayParts
from pylon_runtime.health import Health
from pylon_runtime.housekeeping import Housekeeper
from pylon_runtime.http_limits import ServerLimits
from pylon_runtime.hub import Documents, Hub, HubLimits, LiveQueries
from pylon_runtime.jobs import BackgroundJobs, JobLimits, JobStores, Task, job_sweeper
from pylon_runtime.log_keeping import LogKeeper
from pylon_runtime.origins import OriginRule
from pylon_runtime.proxies import client_ip
from pylon_runtime.pushed_bodies import PushedBodies
from pylon_runtime.rate_limits import RateLimiter
from pylon_runtime.server import PylonServer
from pylon_runtime.socket_auth import SocketAuthenticator
from pylon_runtime.sockets import Sockets
from pylon_runtime.static_files import StaticFiles
from pylon_runtime.stores import AppStore, Database, PostgresDatabase, database_of, open_store
from pylon_runtime.uploads import Uploads
from pylon_runtime.version import VERSION
from pylon_runtime.workflows import requests
from pylon_runtime.workflows.workflows import Workflows
from pylon_runtime.wsgi import WsgiApp
from pylon_storage import EphemeralStore, SqlSessionBackend, parse_faults
from pylon_storage.compaction import Compactor
from pylon_storage.files import FileLibrary, SqlFileIndex
from pylon_storage.jobs import SqlJobStore, SqlScheduleStore
from pylon_storage.operations import OperationSweeper
from pylon_storage.workflows import SqlWorkflowStore

FAULTS_VARIABLE = "PYLON_FAULTS"
"""Read for crash tests only, so it is not a setting; see ``pylon_storage.faults``."""


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
        files = _open_files(config, folder, store, clock)
        functions = _functions(config, folder, environ, clock)
        context = _context(config, loaded, store, sessions, files, clock)
        host = _function_host(config, functions, context)
        context = replace(context, functions=host)
        jobs = _jobs(config, database, context, store, host)
        workflows = _workflows(config, store, host, jobs, clock)
        undo.callback(workflows.close)
        hub = _hub(config, context, store, sessions)
        context = replace(context, jobs=jobs, workflows=workflows.engine, reset=_reset_of(store, hub))
        documents, live_queries = _feeds(hub, context, store, loaded)
        credentials = CredentialResolver(sessions, config.admin_token)
        pushed = PushedBodies(clock)
        gateway = _gateway(config, folder, context, store, credentials, pushed)
        wsgi = WsgiApp(gateway, config.files.bytes_max)
        sockets = _sockets(config, context, hub, credentials)
        server = _server(config, gateway, sockets, store, wsgi, clock)
        undo.callback(server.stop, clock.monotonic())
        _listen_beside(config, gateway, sockets, server)
        undo.pop_all()
    return Application(
        config=config,
        loaded=loaded,
        database=database,
        store=store,
        functions=functions,
        jobs=jobs,
        workflows=workflows,
        hub=hub,
        documents=documents,
        live_queries=live_queries,
        pushed=pushed,
        gateway=gateway,
        server=server,
        housekeeper=_housekeeper(store, sessions, files, hub, clock),
        log_keeper=_log_keeper(config, store, workflows, clock),
        wsgi=wsgi,
        clock=clock,
    )


def _open_sessions(store: AppStore, loaded: LoadedManifest, clock: Clock) -> SessionStore:
    lifetime_s = loaded.manifest.auth.session.expires_in
    return SessionStore(SqlSessionBackend(store.tables), clock, secrets.token_bytes, lifetime_s=lifetime_s)


def _open_files(config: ServerConfig, folder: AppFolder, store: AppStore, clock: Clock) -> FileLibrary:
    storage = open_file_storage(config.files, folder.uploads(config))
    return FileLibrary(storage, SqlFileIndex(store.tables), clock, secrets.token_bytes)


def _functions(
    config: ServerConfig, folder: AppFolder, environ: Mapping[str, str], clock: Clock
) -> FunctionRuntime:
    options = FunctionOptions(
        config.functions_dir, folder.root, environ, config.fn_workers, config.functions.visible_env
    )
    return FunctionRuntime(options, clock)


def _context(
    config: ServerConfig,
    loaded: LoadedManifest,
    store: AppStore,
    sessions: SessionStore,
    files: FileLibrary,
    clock: Clock,
) -> RouterContext:
    return RouterContext(
        manifest=loaded.manifest,
        store=store,
        policies=loaded.policies,
        sessions=sessions,
        cookie=config.cookie.of(loaded.manifest.name),
        clock=clock,
        files=files,
        files_url=config.files.url_prefix,
        function_limiter=RateLimiter(config.functions.calls_max, config.functions.calls_window_s, clock),
        dev_mode=config.dev_mode,
    )


def _function_host(config: ServerConfig, functions: FunctionRuntime, context: RouterContext) -> FunctionHost:
    return FunctionHost(
        context.manifest,
        context.store,
        functions,
        context.clock,
        config.fn_call_timeout_s,
        guard=UserGuard(context),
        traces=Traces(value_bytes_max=VALUE_BYTES_MAX if config.dev_mode else 0),
    )


def _jobs(
    config: ServerConfig, database: Database, context: RouterContext, store: AppStore, host: FunctionHost
) -> BackgroundJobs:
    clock = context.clock
    is_shared = isinstance(database, PostgresDatabase)
    limits = JobLimits(config.jobs.workers, config.jobs.timeout_s, is_shared=is_shared)
    stores = JobStores(SqlJobStore(store.tables, clock), SqlScheduleStore(store.tables, clock))
    return BackgroundJobs(stores, host, map(Task.of, context.manifest.schedules), limits, clock)


def _workflows(
    config: ServerConfig, store: AppStore, host: FunctionHost, jobs: BackgroundJobs, clock: Clock
) -> Workflows:
    workflows = Workflows.over(SqlWorkflowStore(store.tables, clock), host, config.workflows, clock)
    requests.register(jobs.handlers, workflows.engine, clock)
    return workflows


def _hub(config: ServerConfig, context: RouterContext, store: AppStore, sessions: SessionStore) -> Hub:
    limits = HubLimits(message_bytes_max=config.ws_frame_bytes_max)
    hub = Hub(context.policies, context.project, limits, context.clock)
    store.on_log_turned(hub.turn)
    hub.follow(store)
    session_notices.close_sockets(sessions, hub)
    return hub


def _reset_of(store: AppStore, hub: Hub) -> Callable[[], None] | None:
    if not isinstance(store, EphemeralStore):
        return None

    def reset() -> None:
        """The sockets end, so that replicas ask again and hear that theirs is of another time."""
        hub.turn(is_on=False)
        store.reset()
        hub.turn(is_on=True)

    return reset


def _feeds(
    hub: Hub, context: RouterContext, store: AppStore, loaded: LoadedManifest
) -> tuple[Documents, LiveQueries]:
    documents = Documents(hub, store, loaded.policies, _with_documents(loaded), context.clock)
    live_queries = LiveQueries(hub, context)
    hub.add_feed(documents)
    hub.add_feed(live_queries)
    return documents, live_queries


def _with_documents(loaded: LoadedManifest) -> frozenset[str]:
    """The entities whose rows may have collaborative documents; none without the library for these."""
    if find_spec("loro") is None:
        return frozenset()
    return frozenset(entity.name for entity in loaded.manifest.entities if entity.crdt)


def _gateway(
    config: ServerConfig,
    folder: AppFolder,
    context: RouterContext,
    store: AppStore,
    credentials: CredentialResolver,
    pushed: PushedBodies,
) -> Gateway:
    parts = GatewayParts(
        config=config,
        credentials=credentials,
        cookie_name=context.cookie.name,
        files=StaticFiles(folder.public, find_client_bundle()),
        uploads=Uploads(config.files.bytes_max),
        pushed=pushed,
        clock=context.clock,
        random_bytes=secrets.token_bytes,
        health=Health(lambda: store.is_available, context.clock, VERSION),
    )
    return Gateway(parts, dispatch, context)


def _sockets(config: ServerConfig, context: RouterContext, hub: Hub, credentials: CredentialResolver) -> Sockets:
    readers = OriginRule.of((config.cors_origin,))
    authenticator = SocketAuthenticator(credentials, context.cookie.name, config.hosts, config.origins, readers)
    peer_of = partial(client_ip, trusted_hops=config.trust_proxy_hops)
    return Sockets(hub, authenticator, peer_of, context.clock)


def _server(
    config: ServerConfig,
    gateway: Gateway,
    sockets: Sockets,
    store: AppStore,
    wsgi: WsgiApp,
    clock: Clock,
) -> PylonServer:
    server = PylonServer(
        config.host,
        config.port,
        sockets.streams_before(config.hosts.before(gateway.begin)),
        sockets.on_main_port(),
        ServerLimits(active_threads=config.active_threads, streamed_bytes_max=config.files.bytes_max),
        wsgi_app=wsgi,
        clock=clock,
        headers=gateway.common_headers,
        idle=store.flush,
        streamed_paths=(UPLOAD_PATH,),
    )
    store.on_left_over(server.nudge)
    return server


def _listen_beside(config: ServerConfig, gateway: Gateway, sockets: Sockets, server: PylonServer) -> None:
    if config.extra_ports:
        sockets.listen_on_extra_ports(server, config.host, config.hosts.before(gateway.begin))


def _housekeeper(
    store: AppStore, sessions: SessionStore, files: FileLibrary, hub: Hub, clock: Clock
) -> Housekeeper:
    sweep = partial(_sweep, sessions, files)
    housekeeper = Housekeeper(sweep, partial(session_notices.review, sessions, hub), clock)
    session_notices.follow(store.tables, sessions, housekeeper)
    return housekeeper


def _sweep(sessions: SessionStore, files: FileLibrary) -> int:
    removed = sessions.sweep()
    files.sweep()
    return removed


def _log_keeper(config: ServerConfig, store: AppStore, workflows: Workflows, clock: Clock) -> LogKeeper:
    retention_s = config.sync_retention_days * 86_400.0
    chores = (
        Compactor(store.upkeep, clock, retention_s),
        OperationSweeper(store.upkeep, clock, retention_s),
        job_sweeper(SqlJobStore(store.tables, clock), clock, config.jobs.retention_days),
        workflows.sweeper,
    )
    return LogKeeper(chores, clock)
