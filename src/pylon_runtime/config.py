"""The server's configuration: every environment variable it reads, and ``ServerConfig.from_env``.

This is the only place that knows the variables; everything else is handed values. Reading raises
``ConfigError`` before anything has started.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pylon_runtime.cookie_config import COOKIE_SETTINGS, SessionCookieConfig
from pylon_runtime.file_config import FILE_SETTINGS, FileConfig
from pylon_runtime.function_config import FUNCTION_SETTINGS, FunctionConfig
from pylon_runtime.hosts import ANY, HostRule, host_name
from pylon_runtime.job_config import JOB_SETTINGS, JobConfig
from pylon_runtime.origins import OriginRule, origin, origin_host
from pylon_runtime.settings import ConfigError, Setting, boolean, one_of, seconds, visible_ascii, whole
from pylon_runtime.workflow_config import WORKFLOW_SETTINGS, WorkflowConfig

_POSTGRES = ("postgres", "postgresql")
_EXTRA_PORTS = 3
_DEV_TRUSTED_ORIGINS = (
    "http://localhost:3000",
    "http://localhost:4321",
    "http://localhost:5173",
    "http://127.0.0.1:3000",
)


class AccessLog(enum.StrEnum):
    """Which requests are logged: those that failed here or took long, or every one."""

    PROBLEMS = "problems"
    ALL = "all"


def _origins(text: str) -> tuple[str, ...]:
    entries = (entry.strip() for entry in text.split(","))
    return tuple(entry if entry in (ANY, "null") else origin(entry) for entry in entries if entry)


def _hosts(text: str) -> tuple[str, ...]:
    entries = (entry.strip() for entry in text.split(","))
    return tuple(entry if entry == ANY else host_name(entry) for entry in entries if entry)


def _cors_origin(text: str) -> str:
    return text if text == ANY else origin(visible_ascii(text))


def _database_url(text: str) -> str:
    """The scheme in lower case, as Postgres wants it."""
    scheme, mark, rest = text.partition("://")
    return f"{scheme.lower()}{mark}{rest}" if mark else text


PORT = Setting("PYLON_PORT", whole(0, 65535), "4321", "TCP port P of the HTTP server; 0 takes any free one.")
HOST = Setting("PYLON_HOST", visible_ascii, "127.0.0.1 in dev mode, else 0.0.0.0", "Address to listen on.")
DEV_MODE = Setting("PYLON_DEV_MODE", boolean, "0", "Development conveniences that a public server must not have.")
CORS_ORIGIN = Setting(
    "PYLON_CORS_ORIGIN",
    _cors_origin,
    "* in dev mode, else required",
    "The one web origin whose pages may read answers. Outside dev mode `*` is refused.",
)
CSRF_ORIGINS = Setting(
    "PYLON_CSRF_ORIGINS",
    _origins,
    "PYLON_CORS_ORIGIN",
    "Comma list of web origins that may write with a cookie and open sockets; set but empty allows none. "
    "In dev mode pages of this machine may as well, unless it is set but empty.",
)
ALLOWED_HOSTS = Setting(
    "PYLON_ALLOWED_HOSTS",
    _hosts,
    "none in dev mode, else *",
    "Comma list of host names this server is reached by; requests for others are refused. Always allowed are "
    "localhost, the address it listens on, and the hosts of PYLON_CORS_ORIGIN and PYLON_CSRF_ORIGINS.",
)
TRUSTED_ORIGINS = Setting(
    "PYLON_TRUSTED_ORIGINS",
    _origins,
    "in dev mode localhost ports 3000, 4321, 5173, else none",
    "Comma list of web origins that sign-in may redirect to.",
)
ADMIN_TOKEN = Setting("PYLON_ADMIN_TOKEN", visible_ascii, "none", "Bearer token of the administrator.")
DB_PATH = Setting(
    "PYLON_DB_PATH",
    Path,
    ".pylon/dev.db",
    "The SQLite database file; `:memory:` is one that goes with the process, for tests.",
)
DATABASE_URL = Setting(
    "DATABASE_URL",
    _database_url,
    "none",
    "A postgres:// or postgresql:// URL to use Postgres. Outside dev mode also the path of an SQLite file, in "
    "place of PYLON_DB_PATH.",
)
DB_CONNECTIONS = Setting(
    "PYLON_DB_CONNECTIONS", whole(4, 1000), "20", "Connections to Postgres that a server may have at once."
)
SYNC_RETENTION_DAYS = Setting(
    "PYLON_SYNC_RETENTION_DAYS",
    whole(1, 3650),
    "30",
    "Days for which a replica that was away can go on from where it was, and for which a push that is repeated is "
    "recognised.",
)
JWT_SECRET = Setting("PYLON_JWT_SECRET", str, "none", "Secret for JWT bearer tokens. Not available yet.")
FUNCTIONS_DIR = Setting(
    "PYLON_FUNCTIONS_DIR", Path, "functions", "Folder of the app's functions, in TypeScript and Python."
)
FN_WORKERS = Setting("PYLON_FN_WORKERS", whole(1, 64), "1", "Processes that run functions.")
FN_CALL_TIMEOUT = Setting("PYLON_FN_CALL_TIMEOUT", seconds(0.1, 3600), "30", "Seconds a function call may take.")
EXTRA_PORTS = Setting(
    "PYLON_EXTRA_PORTS", boolean, "1", "Also listen on P+1, P+2, P+3, where older clients look for sockets."
)
ACTIVE_THREADS = Setting("PYLON_ACTIVE_THREADS", whole(1, 64), "1", "Threads that compute at once.")
DEFAULT_POLICY = Setting(
    "PYLON_DEFAULT_POLICY",
    one_of("allow", "deny"),
    "allow in dev mode, else deny",
    "What an entity without a policy means for callers other than the administrator.",
)
DRAIN_SECS = Setting("PYLON_DRAIN_SECS", seconds(0, 3600), "10", "Seconds that stopping may take.")
WS_MAX_FRAME = Setting(
    "PYLON_WS_MAX_FRAME", whole(1024, 1 << 30), "16777216", "Bytes a WebSocket message may have."
)
TRUST_PROXY_HOPS = Setting(
    "PYLON_TRUST_PROXY_HOPS",
    whole(0, 32),
    "0",
    "Reverse proxies in front whose X-Forwarded-* headers are believed.",
)
ACCESS_LOG = Setting(
    "PYLON_ACCESS_LOG",
    one_of("problems", "all"),
    "problems",
    "Which requests are logged: failed and slow ones, or all.",
)

SETTINGS: tuple[Setting[Any], ...] = (
    PORT,
    HOST,
    DEV_MODE,
    CORS_ORIGIN,
    CSRF_ORIGINS,
    ALLOWED_HOSTS,
    TRUSTED_ORIGINS,
    ADMIN_TOKEN,
    *COOKIE_SETTINGS,
    DB_PATH,
    DATABASE_URL,
    DB_CONNECTIONS,
    SYNC_RETENTION_DAYS,
    *JOB_SETTINGS,
    JWT_SECRET,
    FUNCTIONS_DIR,
    FN_WORKERS,
    FN_CALL_TIMEOUT,
    *FUNCTION_SETTINGS,
    EXTRA_PORTS,
    ACTIVE_THREADS,
    DEFAULT_POLICY,
    DRAIN_SECS,
    WS_MAX_FRAME,
    TRUST_PROXY_HOPS,
    ACCESS_LOG,
    *FILE_SETTINGS,
    *WORKFLOW_SETTINGS,
)
"""Every variable the server reads, in the order of the user's guide."""


@dataclass(frozen=True)
class ServerConfig:
    port: int
    host: str
    dev_mode: bool
    cors_origin: str
    origins: OriginRule
    """Which pages may write with a cookie and open sockets."""
    hosts: HostRule
    trusted_origins: tuple[str, ...]
    admin_token: str | None = field(repr=False)
    cookie: SessionCookieConfig
    db_path: Path
    database_url: str | None = field(repr=False)
    db_connections: int
    sync_retention_days: int
    jobs: JobConfig
    functions_dir: Path
    fn_workers: int
    fn_call_timeout_s: float
    functions: FunctionConfig
    extra_ports: bool
    active_threads: int
    default_policy_allows: bool
    drain_s: float
    ws_frame_bytes_max: int
    trust_proxy_hops: int
    access_log: AccessLog
    files: FileConfig
    workflows: WorkflowConfig

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "ServerConfig":
        """The configuration an environment describes. Raises ``ConfigError`` naming the variable at fault."""
        dev_mode = DEV_MODE.read(environ)
        port = PORT.read(environ)
        extra_ports = EXTRA_PORTS.read(environ)
        _refuse_unavailable(environ)
        database_url, database_path = _database_of(environ, dev_mode=dev_mode)
        _refuse_port_overflow(port, extra_ports=extra_ports)
        cors_origin = _cors_origin_of(environ, dev_mode=dev_mode)
        origins = _origin_rule_of(environ, cors_origin, dev_mode=dev_mode)
        host = HOST.given(environ) or ("127.0.0.1" if dev_mode else "0.0.0.0")
        return cls(
            port=port,
            host=host,
            dev_mode=dev_mode,
            cors_origin=cors_origin,
            origins=origins,
            hosts=_host_rule_of(environ, {cors_origin, *origins.listed}, host, dev_mode=dev_mode),
            trusted_origins=TRUSTED_ORIGINS.given(environ) or (_DEV_TRUSTED_ORIGINS if dev_mode else ()),
            admin_token=ADMIN_TOKEN.given(environ),
            cookie=SessionCookieConfig.from_env(environ, dev_mode=dev_mode),
            db_path=database_path or DB_PATH.read(environ),
            database_url=database_url,
            db_connections=DB_CONNECTIONS.read(environ),
            sync_retention_days=SYNC_RETENTION_DAYS.read(environ),
            jobs=JobConfig.from_env(environ),
            functions_dir=FUNCTIONS_DIR.read(environ),
            fn_workers=FN_WORKERS.read(environ),
            fn_call_timeout_s=FN_CALL_TIMEOUT.read(environ),
            functions=FunctionConfig.from_env(environ, dev_mode=dev_mode),
            extra_ports=extra_ports,
            active_threads=ACTIVE_THREADS.read(environ),
            default_policy_allows=(DEFAULT_POLICY.given(environ) or ("allow" if dev_mode else "deny")) == "allow",
            drain_s=DRAIN_SECS.read(environ),
            ws_frame_bytes_max=WS_MAX_FRAME.read(environ),
            trust_proxy_hops=TRUST_PROXY_HOPS.read(environ),
            access_log=AccessLog(ACCESS_LOG.read(environ)),
            files=FileConfig.from_env(environ),
            workflows=WorkflowConfig.from_env(environ),
        )


def _database_of(environ: Mapping[str, str], *, dev_mode: bool) -> tuple[str | None, Path | None]:
    """What DATABASE_URL stands for: a database of Postgres, a file of SQLite, or nothing."""
    text = DATABASE_URL.given(environ)
    scheme, is_url, _ = (text or "").partition("://")
    if text is not None and is_url and scheme in _POSTGRES:
        return text, None
    # A shell of another project often has one lying around; only a server meant for real use must not ignore it.
    if text is None or dev_mode:
        return None, None
    if is_url:
        raise ConfigError(
            "DATABASE_URL is of a database that pylon does not know.",
            hint="DATABASE_URL is a postgres:// URL or the path of an SQLite file.",
        )
    return None, Path(text)


def _refuse_unavailable(environ: Mapping[str, str]) -> None:
    if JWT_SECRET.given(environ) is not None:
        raise ConfigError("JWT bearer tokens are not available yet.", hint="Unset PYLON_JWT_SECRET.")


def _refuse_port_overflow(port: int, *, extra_ports: bool) -> None:
    if extra_ports and port + _EXTRA_PORTS > 65535:
        raise ConfigError(
            f"Port {port} leaves no room for the three extra ports above it.",
            hint="Choose a PYLON_PORT of at most 65532, or set PYLON_EXTRA_PORTS=0.",
        )


def _cors_origin_of(environ: Mapping[str, str], *, dev_mode: bool) -> str:
    value = CORS_ORIGIN.given(environ)
    if dev_mode:
        return value or ANY
    if value is None or value == ANY:
        raise ConfigError(
            "Outside dev mode the server needs to know which web origin may read its answers.",
            hint="Set PYLON_CORS_ORIGIN to your site, such as https://app.example.com, "
            "or PYLON_DEV_MODE=1 on your own machine.",
        )
    return value


def _origin_rule_of(environ: Mapping[str, str], cors_origin: str, *, dev_mode: bool) -> OriginRule:
    """In dev mode any page may read, and ``*`` there says nothing about who may write."""
    if CSRF_ORIGINS.name not in environ:
        return OriginRule.of({cors_origin} - {ANY}, local=dev_mode)
    listed = CSRF_ORIGINS.given(environ) or ()
    return OriginRule.of(listed, local=dev_mode and bool(listed))


def _host_rule_of(environ: Mapping[str, str], origins: set[str], bound: str, *, dev_mode: bool) -> HostRule:
    """Where the site's own pages are, the server may be as well."""
    given = ALLOWED_HOSTS.given(environ)
    if given is None:
        given = () if dev_mode else (ANY,)
    return HostRule.of({*given, *filter(None, map(origin_host, origins))}, bound)
