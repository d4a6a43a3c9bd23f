"""``.env.local`` and ``.env`` of an app: more environment, below what the process began with (contract 07 §1).

Of the nearest folder, the app's own or one above, that has either file; the first of the two wins. Main thread
only: the variables become the process's, because libraries look there too.
"""

import os
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from pylon_core.errors import PylonError

NAMES = (".env.local", ".env")

_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*
    (?: "(?P<escaped>(?:\\.|[^"\\])*)" | '(?P<literal>[^']*)' | `(?P<quoted>[^`]*)` | (?P<bare>[^\n]*?) )
    [ \t]*(?:(?:^|(?<=[\s="'`]))\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class EnvFiles:
    """Made once for a process; each ``load`` makes the environment what it would be had the process just begun."""

    def __init__(self, start: Path, environ: MutableMapping[str, str] = os.environ) -> None:
        folder = next((near for near in (start, *start.parents) if _present(near)), start)
        self.paths = tuple(folder / name for name in NAMES)
        self._environ = environ
        self._given = frozenset(environ)
        self._added: frozenset[str] = frozenset()

    def load(self) -> list[Path]:
        """Which files there were. Raises ``PylonError`` INVALID_CONFIG for one that cannot be read."""
        found = [path for path in self.paths if path.is_file()]
        variables: dict[str, str] = {}
        for path in reversed(found):
            variables |= dict(_variables(path))
        added = {name: value for name, value in variables.items() if name not in self._given}
        for name in self._added - added.keys():
            self._environ.pop(name, None)
        self._environ.update(added)
        self._added = frozenset(added)
        return found


def _present(folder: Path) -> bool:
    return any((folder / name).is_file() for name in NAMES)


def _variables(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise _unusable(path, "it cannot be read, or is no UTF-8 text") from error
    if "\0" in text:
        raise _unusable(path, "it has a NUL character in it")
    for line in _LINE.finditer(text):
        escaped = line["escaped"]
        if escaped is not None:
            yield line["name"], _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), escaped)
        else:
            yield line["name"], line["literal"] or line["quoted"] or line["bare"] or ""


def _unusable(path: Path, why: str) -> PylonError:
    return PylonError("INVALID_CONFIG", f"{path.name} does not work: {why}.", hint=f"It is {path}.")
