"""DATABASE_URL as libpq is to have it: whether the connection is encrypted, and what a log may say of it. Pure.

Whoever asks for TLS gets all of it, the server's certificate and name checked (contract 12 §12.2): half of it
would stop nobody who can read the wire. The binary wheel's OpenSSL does not know where this system keeps its
authorities, Python's does.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pylon_http import DataError

PLAIN_MODES = frozenset({"disable", "allow", "prefer"})

DEFAULTS: Mapping[str, str] = {
    "application_name": "pylon",
    "connect_timeout": "2",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""What a URL that says nothing else gets. With these a host that went silent is noticed within 10 to 25 s."""

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def conninfo(url: str) -> str:
    """A connection string for libpq. Raises DataError SCHEMA_INIT_FAILED for what is no Postgres URL."""
    parts = _parts(url)
    parts["client_encoding"] = "UTF8"  # whatever the URL or the environment says
    mode, root = parts.pop("sslmode", None), parts.pop("sslrootcert", None)
    if root is None and (mode is None or mode in PLAIN_MODES):
        return make_conninfo(**{**DEFAULTS, **parts, "sslmode": "disable"})
    if not root or root == "system":
        root = system_authorities()
    return make_conninfo(**{**DEFAULTS, **parts, "sslmode": "verify-full", "sslrootcert": root})


def masked(url: str) -> str:
    """The URL with nothing in it but who, where and which database."""
    try:
        parts = _parts(url)
    except DataError:
        return "postgresql://"
    user = f"{parts['user']}@" if parts.get("user") else ""
    hosts = parts.get("host", "").split(",")
    ports = parts.get("port", "").split(",")
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    where = ",".join(f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=True))
    return f"postgresql://{user}{where}/{parts.get('dbname', '')}"


def system_authorities() -> str:
    """The file of certificate authorities that this system trusts."""
    known = (ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES)
    return next((file for file in known if file and Path(file).is_file()), "system")


def _parts(url: str) -> dict[str, str]:
    scheme, mark, rest = url.partition("://")
    try:
        found = conninfo_to_dict(f"{scheme.lower()}{mark}{rest}")
    except ProgrammingError:
        # What libpq says of it quotes it, and thereby perhaps the password.
        raise _unreadable() from None
    parts = {name: str(value) for name, value in found.items()}
    ports = parts.get("port", "").split(",")
    if "@" in parts.get("dbname", "") or not all(port.isdigit() or not port for port in ports):
        raise _unreadable()  # half a password has spilt into what may be shown
    return parts


def _unreadable() -> DataError:
    return DataError(
        "SCHEMA_INIT_FAILED",
        "The database's URL is none that Postgres understands.",
        hint="It is like postgres://user:password@host:5432/name; in a password, write @ : / ? # % as"
        " %40 %3A %2F %3F %23 %25.",
    )
