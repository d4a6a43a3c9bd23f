"""What functions and entry files see of the server's environment: all but its secrets, or what is allowed.

Pure; any thread may call it.
"""

import re
from collections.abc import Mapping

from pylon_runtime.function_config import FN_ENV

_NEEDED = (
    *("PATH", "HOME", "LANG", "LC_*", "TZ", "TMPDIR", "NODE_ENV", "BUN_*"),
    *("PYTHON*", "LD_LIBRARY_PATH"),  # or Python may not find itself
)
_SERVER_SECRET = re.compile(
    r"(PYLON_ADMIN_TOKEN|DATABASE_URL|PG(PASSWORD|PASSFILE|SERVICE|SERVICEFILE|SSLCERT|SSLKEY)"
    r"|PYLON_\w*(SECRET|PEPPER|PRIVATE_KEY|ENCRYPTION_KEY)\w*)\Z"
)


def functions_environment(environ: Mapping[str, str], allowed: tuple[str, ...] | None = None) -> dict[str, str]:
    """The server's environment as functions get it in ``ctx.env``: without the secrets that are the server's own.

    Left out are ``PYLON_ADMIN_TOKEN``, ``DATABASE_URL``, libpq's own (``PGPASSWORD`` and what names files of
    secrets) and every ``PYLON_`` variable with SECRET, PEPPER, PRIVATE_KEY or ENCRYPTION_KEY in its name. Of the
    rest everything that ``allowed`` names, a name or the beginning of names followed by ``*``, and what a process
    cannot do without; ``None``: all of it.

    A child in Bun drops the others again (``guard.ts``), because Bun reads ``.env`` files by itself; so it is told
    which may stay.
    """
    kept = {name: value for name, value in environ.items() if not _SERVER_SECRET.match(name)}
    if allowed is None:
        return kept
    entries = (*allowed, *_NEEDED)
    names = frozenset(entries)
    beginnings = tuple(entry[:-1] for entry in entries if entry.endswith("*"))
    told = {FN_ENV.name: ",".join(entries)}
    return {name: kept[name] for name in kept if name in names or name.startswith(beginnings)} | told
