"""The application manifest: what an app declares, as values (contract 02 §2 to §6).

``parse_manifest`` reads the JSON document and ``AppManifest.to_wire`` writes it back without loss. The values
never change, so every thread may share them. Parsing asks for the right members of the right JSON types and no
more (``manifest_faults`` says what a document lacks): whether the declarations make sense together is
``manifest_checks``; a policy expression is only text here.
"""

import enum
import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from pydantic.alias_generators import to_camel

from pylon_core import jsontext
from pylon_core.diagnostics import Diagnostic
from pylon_core.errors import PylonError
from pylon_core.manifest_faults import shape_fault, syntax_fault

MANIFEST_FILE = "pylon.manifest.json"
MANIFEST_VERSION = 1

CrdtKind = Literal["lww", "text", "counter", "list", "movable-list", "tree"]

COLLECTIONS: frozenset[CrdtKind | None] = frozenset({"list", "movable-list", "tree"})
"""Kinds of collaborative fields that hold an array."""


class FieldKind(enum.StrEnum):
    """What a field holds. ``ID`` is a reference, written ``id(<Entity>)`` in a manifest."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATETIME = "datetime"
    RICHTEXT = "richtext"
    ID = "id"


TEXT_KINDS = frozenset({FieldKind.STRING, FieldKind.RICHTEXT, FieldKind.ID})
"""Kinds whose values are texts, and so may equal an id."""

_SCALARS: Mapping[str, FieldKind] = {kind.value: kind for kind in FieldKind if kind is not FieldKind.ID}


def _is_none(value: object) -> bool:
    return value is None


def _null_as_empty(value: object) -> object:
    return "" if value is None else value


_OptionalText = Annotated[str, BeforeValidator(_null_as_empty), Field(exclude_if=operator.not_)]
"""Text whose empty value means unset; absent on the wire then."""


class _Declaration(BaseModel):
    """Immutable; members it does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def _by_name(declarations: Sequence[_N]) -> dict[str, _N]:
    """The first of each name: a manifest with duplicates never starts, but its checks look names up too."""
    return {declared.name: declared for declared in reversed(declarations)}


class FieldDef(_Declaration):
    name: str
    type: str
    optional: StrictBool
    unique: StrictBool
    crdt: CrdtKind | None = Field(default=None, exclude_if=_is_none)

    @cached_property
    def kind(self) -> FieldKind | None:
        """What ``type`` means; ``None`` when it means nothing."""
        return FieldKind.ID if self.id_target is not None else _SCALARS.get(self.type)

    @property
    def crdt_kind(self) -> CrdtKind:
        """What it is in a collaborative document: as annotated, else what is usual for its type."""
        return self.crdt or ("text" if self.kind is FieldKind.RICHTEXT else "lww")

    @property
    def is_collection(self) -> bool:
        """Whether its values are arrays: of values of its type or, for a tree, of nodes."""
        return self.crdt in COLLECTIONS

    @cached_property
    def id_target(self) -> str | None:
        """The entity an ``id(<Entity>)`` field refers to."""
        if self.type.startswith("id(") and self.type.endswith(")"):
            return self.type[3:-1] or None
        return None


class IndexDef(_Declaration):
    name: str
    fields: tuple[str, ...]
    unique: StrictBool


class RelationDef(_Declaration):
    """To one (``field`` here holds the target's id) or, with ``many``, to all (``field`` there holds ours)."""

    name: str
    target: str
    field: str
    many: StrictBool = False


class SearchDef(_Declaration):
    """What search covers; earlier ``text`` fields weigh more. ``language`` names a stemmer, on every database the
    same (``None``: words are known as they are written)."""

    text: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    sortable: tuple[str, ...] = ()
    language: str | None = None


class EntityDef(_Declaration):
    """A kind of row. Its implicit ``id`` is not among ``fields``."""

    name: str
    fields: tuple[FieldDef, ...]
    indexes: tuple[IndexDef, ...]
    relations: tuple[RelationDef, ...] = Field(default=(), exclude_if=operator.not_)
    search: SearchDef | None = Field(default=None, exclude_if=_is_none)
    crdt: StrictBool = True

    def field(self, name: str) -> FieldDef | None:
        return self._fields_by_name.get(name)

    def relation(self, name: str) -> RelationDef | None:
        return self._relations_by_name.get(name)

    @cached_property
    def _fields_by_name(self) -> dict[str, FieldDef]:
        return _by_name(self.fields)

    @cached_property
    def _relations_by_name(self) -> dict[str, RelationDef]:
        return _by_name(self.relations)


class RouteDef(_Declaration):
    path: str
    mode: str
    query: str | None = Field(default=None, exclude_if=_is_none)
    auth: str | None = Field(default=None, exclude_if=_is_none)

    @cached_property
    def params(self) -> tuple[str, ...]:
        """The names of the path's ``:param`` segments, in order."""
        return tuple(part[1:] for part in self.path.split("/") if part.startswith(":"))


class _Callable(_Declaration):
    name: str
    input: tuple[FieldDef, ...] = Field(default=(), exclude_if=operator.not_)


class QueryDef(_Callable):
    """A named query with its typed input: the source of client types, not an endpoint."""


class ActionDef(_Callable):
    """A named action with its typed input, answered by ``POST /api/actions/<name>``."""


POLICY_EXPRESSIONS: tuple[str, ...] = (
    "allow",
    "allowRead",
    "allowInsert",
    "allowUpdate",
    "allowDelete",
    "allowWrite",
)
"""The wire names of a policy's expressions, in declaration order."""


class PolicyDef(_Declaration):
    """Who may do what to an entity, an action, or both. An empty string is an unset member."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    name: str
    entity: _OptionalText = ""
    action: _OptionalText = ""
    allow: _OptionalText = ""
    allow_read: _OptionalText = ""
    allow_insert: _OptionalText = ""
    allow_update: _OptionalText = ""
    allow_delete: _OptionalText = ""
    allow_write: _OptionalText = ""

    @cached_property
    def expressions(self) -> Mapping[str, str]:
        """The expressions that are set, by wire name."""
        texts = (
            self.allow,
            self.allow_read,
            self.allow_insert,
            self.allow_update,
            self.allow_delete,
            self.allow_write,
        )
        return {member: text for member, text in zip(POLICY_EXPRESSIONS, texts, strict=True) if text}


class AuthUserDef(_Declaration):
    """Which entity holds the accounts, and which of its fields a session shows (``expose``, if set) or hides."""

    entity: str = "User"
    expose: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    hide: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)


class CookieCacheDef(_Declaration):
    """Claims to keep in the session cookie for ``max_age`` seconds."""

    enabled: StrictBool = False
    max_age: StrictInt = Field(default=300, ge=0)
    claims: tuple[str, ...] = ("is_admin", "tenant_id")


class AuthSessionDef(_Declaration):
    """``expires_in`` is the lifetime of a new session in seconds; 0 means for ever."""

    expires_in: StrictInt = Field(default=2_592_000, ge=0)
    cookie_cache: CookieCacheDef = CookieCacheDef()


class AuthDef(_Declaration):
    user: AuthUserDef = AuthUserDef()
    session: AuthSessionDef = AuthSessionDef()
    trusted_origins: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)


SERVER_JOBS = "pylon."
"""What the names of the server's own jobs and tasks begin with."""


class ScheduleDef(_Declaration):
    """A function called by the clock, with ``args``. ``missed`` says what becomes of times at which no server ran:
    nothing, or one call for all of them."""

    name: str
    cron: str
    function: str
    timezone: str = "UTC"
    args: Mapping[str, Any] = Field(default={}, exclude_if=operator.not_)
    missed: Literal["skip", "once"] = "skip"
    enabled: StrictBool = True


class AppManifest(_Declaration):
    """The whole document. Look-ups by name are dict look-ups, made for use on every request."""

    manifest_version: StrictInt
    name: str
    version: str
    entities: tuple[EntityDef, ...]
    routes: tuple[RouteDef, ...]
    queries: tuple[QueryDef, ...] = ()
    actions: tuple[ActionDef, ...] = ()
    policies: tuple[PolicyDef, ...] = ()
    schedules: tuple[ScheduleDef, ...] = Field(default=(), exclude_if=operator.not_)
    auth: AuthDef = AuthDef()

    def entity(self, name: str) -> EntityDef | None:
        return self._entities_by_name.get(name)

    def query(self, name: str) -> QueryDef | None:
        return self._queries_by_name.get(name)

    def action(self, name: str) -> ActionDef | None:
        return self._actions_by_name.get(name)

    def to_wire(self) -> dict[str, Any]:
        """The document as JSON values; parsing it again gives an equal manifest."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def _entities_by_name(self) -> dict[str, EntityDef]:
        return _by_name(self.entities)

    @cached_property
    def _queries_by_name(self) -> dict[str, QueryDef]:
        return _by_name(self.queries)

    @cached_property
    def _actions_by_name(self) -> dict[str, ActionDef]:
        return _by_name(self.actions)


def public_manifest(manifest: AppManifest, *, expressions: bool) -> dict[str, Any]:
    """The manifest as ``GET /api/manifest`` serves it: rules by name only and no schedules, unless the caller may
    read them."""
    wire = manifest.to_wire()
    if not expressions:
        wire.pop("schedules", None)
        for policy in wire["policies"]:
            for member in POLICY_EXPRESSIONS:
                policy.pop(member, None)
    return wire


class ManifestError(PylonError):
    """The manifest cannot be used. ``diagnostics`` (at least one) say why; the first gives code and message."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        first = self.diagnostics[0]
        super().__init__(first.code, first.message, hint=first.hint)


def parse_manifest(text: bytes | str, file: str = MANIFEST_FILE) -> AppManifest:
    """The manifest a JSON document holds; ``file`` is the name diagnostics give it.

    Raises ``ManifestError`` with exactly one MANIFEST_PARSE_ERROR when the text is not JSON, nests too deep, or
    has a required member missing or one of the wrong type.
    """
    try:
        document = jsontext.decode(text)
    except PylonError:
        raise ManifestError([syntax_fault(text, file)]) from None
    try:
        return AppManifest.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ManifestError([shape_fault(error, file)]) from None
