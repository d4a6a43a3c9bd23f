"""What the passes share: how a finding is made, and how names are compared."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from pylon_core.diagnostics import Diagnostic, Severity
from pylon_core.manifest import AppManifest

Findings = Iterator[Diagnostic]
Pass = Callable[[AppManifest], Findings]


def error(code: str, message: str, hint: str | None = None) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, message, hint)


def warning(code: str, message: str, hint: str | None = None) -> Diagnostic:
    return Diagnostic(Severity.WARNING, code, message, hint)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint naming the closest known name, if any is close."""
    closest = difflib.get_close_matches(name, list(known), n=1)
    return f'did you mean "{closest[0]}"?' if closest else None


def repeated(names: Iterable[str]) -> list[str]:
    """Each non-empty name that occurs more than once, once."""
    return [name for name, count in Counter(names).items() if name and count > 1]


def differing_only_by_case(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that are one name to a database that ignores case."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(name.lower(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
