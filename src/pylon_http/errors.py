"""How a store, or a request to one, is refused."""

from pylon_core.errors import PylonError


class DataError(PylonError):
    """The store refused or could not do it; ``code`` is one of contract 12 §6."""


def unknown_field(entity: str, field: str) -> DataError:
    """The one refusal of a name that is no field, or a field the asker must not know of: a list of those that
    there are would tell the two apart."""
    return DataError(
        "INVALID_COLUMN", f"{entity} has no field {field!r}.", hint="GET /api/manifest lists the fields."
    )


class JobLost(DataError):  # noqa: N818 - reads as what happened
    """A job was to be completed by an attempt that does not count any more: it was given up as silent, and the job
    is somebody else's or has ended."""

    def __init__(self) -> None:
        super().__init__("CONFLICT", "This attempt at the job was given up; what it did is undone.")


class NeedsTransaction(Exception):  # noqa: N818 - reads as what is the case
    """Raised by a ``Trial`` that is asked for what only a transaction can do; the trial may be settled in one."""


class RerunRefused(DataError):  # noqa: N818 - reads as what happened
    """Raised by work that cannot be done twice when a store runs it again; its caller may start anew."""

    def __init__(self) -> None:
        super().__init__("CONFLICT", "Others changed the same rows at the same time. Try again.")
