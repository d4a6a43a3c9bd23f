"""What functions may see of the environment, and how often they may be called: the variables, and
``FunctionConfig``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pylon_runtime.settings import Setting, seconds, whole

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")
_CALLS_MAX = 30
_CALLS_MAX_IN_DEV = 100_000


def _variables(text: str) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    if not all(_VARIABLE.fullmatch(entry) for entry in entries):
        raise ValueError("expected names of variables, or beginnings of names such as STRIPE_*, with commas")
    return entries


FN_ENV = Setting(
    "PYLON_FN_ENV",
    _variables,
    "everything but the server's secrets",
    "Comma list of the variables that functions see in `ctx.env`; `STRIPE_*` is all that begin so.",
)
FN_RATE_LIMIT_MAX = Setting(
    "PYLON_FN_RATE_LIMIT_MAX",
    whole(1, 1_000_000_000),
    f"{_CALLS_MAX_IN_DEV} in dev mode, else {_CALLS_MAX}",
    "How often one user, or one address without a user, may call each function within the window.",
)
FN_RATE_LIMIT_WINDOW = Setting(
    "PYLON_FN_RATE_LIMIT_WINDOW", seconds(0.1, 86_400), "60", "Seconds of that window, which slides."
)

FUNCTION_SETTINGS: tuple[Setting[Any], ...] = (FN_ENV, FN_RATE_LIMIT_MAX, FN_RATE_LIMIT_WINDOW)


@dataclass(frozen=True)
class FunctionConfig:
    visible_env: tuple[str, ...] | None
    calls_max: int
    calls_window_s: float

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, dev_mode: bool) -> "FunctionConfig":
        return cls(
            FN_ENV.given(environ),
            FN_RATE_LIMIT_MAX.given(environ) or (_CALLS_MAX_IN_DEV if dev_mode else _CALLS_MAX),
            FN_RATE_LIMIT_WINDOW.read(environ),
        )
