"""Apps to generate clients of: an ordinary one, one whose names fit no language, and the compilers' verdicts."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pylon_cli.codegen.model import FunctionFiles
from pylon_cli.codegen.names import capitalised
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_functions.registry import FunctionDefinition, FunctionKind
from tests.strategies.documents import Document, app, entity, field
from tests.strategies.manifests import manifests

ROOT = Path(__file__).parents[3]
TSC = ROOT / "node_modules/.bin/tsc"

COMPILER_OPTIONS = {
    "target": "ES2022",
    "lib": ["ES2022", "DOM"],
    "module": "ESNext",
    "moduleResolution": "bundler",
    "types": [],
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "exactOptionalPropertyTypes": True,
    "noImplicitOverride": True,
    "noImplicitReturns": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "verbatimModuleSyntax": True,
    "isolatedModules": True,
    "erasableSyntaxOnly": True,
    "skipLibCheck": True,
    "noEmit": True,
}


def manifest(document: Document) -> AppManifest:
    return parse_manifest(json.dumps(document))


def function(
    name: str, args: dict[str, Any] | None = None, returns: dict[str, Any] | None = None
) -> FunctionDefinition:
    return FunctionDefinition(name, FunctionKind.MUTATION, args, returns=returns)


SHOP = manifest(
    app(
        entities=[
            entity(
                "Item",
                fields=[
                    field("sku"),
                    field("count", "int"),
                    field("price", "float", optional=True),
                    field("sold", "bool"),
                    field("blurb", "richtext", optional=True),
                    field("made", "datetime"),
                    field("ownerId", "id(User)"),
                    field("odd", "blob"),
                    field("tags", crdt="list"),
                ],
            ),
            entity("User", fields=[field("email"), field("passwordHash", optional=True)]),
            entity("Bare", fields=[]),
            entity("Task", fields=[field("title"), field("tenantId")]),
        ],
        queries=[{"name": "find", "input": [field("done", "bool", optional=True)]}, {"name": "all"}],
        actions=[{"name": "restock", "input": [field("sku"), field("count", "int")]}, {"name": "reset"}],
    )
)

ADDRESS = {"type": "object", "fields": {"city": {"type": "string"}, "zip": {"type": "string", "optional": True}}}
SHOP_FUNCTIONS = FunctionFiles(
    [
        function(
            "placeOrder", {"to": ADDRESS, "lines": {"type": "array", "items": {"type": "id", "table": "Item"}}}
        ),
        function("anything"),
        function("ping", {}),
        function(
            "pick",
            {
                "size": {"type": "union", "variants": [{"type": "literal", "value": size} for size in ("s", "m")]},
                "note": {"type": "string", "optional": True},
            },
        ),
    ]
)

TOTALS = {
    "type": "object",
    "fields": {
        "sum": {"type": "number"},
        "by": {"type": "record", "values": {"type": "int"}},
        "to": {"type": "array", "items": {"type": "union", "variants": [ADDRESS, {"type": "null"}]}},
        "note": {"type": "string", "optional": True},
    },
}
TYPED_FUNCTIONS = FunctionFiles(
    [
        function("totals", {}, TOTALS),
        function("names", {}, {"type": "array", "items": {"type": "string"}}),
        function("find", {}, {"type": "union", "variants": [TOTALS, {"type": "null"}]}),
        function(
            "state", {}, {"type": "union", "variants": [{"type": "literal", "value": v} for v in ("on", "off")]}
        ),
        function("clear", {}, {"type": "null"}),
        function("list", {}, {"type": "record", "values": {"type": "any"}}),
        function("whatever", {}, {"type": "any"}),
        function("unsaid", {}),
    ]
)

ODD_NAMES = (
    *(
        "class",
        "self",
        "init",
        "new",
        "import",
        "from",
        "None",
        "constructor",
        "__proto__",
        "prototype",
        "default",
    ),
    *("Promise", "Record", "Error", "string", "str", "list", "dict", "Any", "String", "Type", "hashValue"),
    *("Entities", "createClient", "request", "PylonClient", "EntityRows", "transport", "all", "toString"),
    *(
        "due-date",
        "with space",
        "2fast",
        "_",
        "$money",
        'quo"te',
        "back\\slash",
        "new\nline",
        "\u2028",
        "*/",
        "\\(x)",
    ),
    *(
        "id",
        "client",
        "Row",
        "FindOutput",
        "findoutput",
        "Functions",
        "TypeAlias",
        "Searches",
        "Any2",
        "int",
        "None_",
    ),
    *("${x}", "{}", "%s", "Über", "名前", "ﬁne", "𝒳", "Note", "note", "NewNote", "NotePatch", "NoteInput"),
)
_ODD_FIELDS = [
    field(
        name,
        ("string", "int", "bool", "float", "datetime", "id(class)", "blob")[position % 7],
        optional=position % 2 == 0,
    )
    for position, name in enumerate(ODD_NAMES)
]
ODD = manifest(
    app(
        entities=[entity(name, fields=_ODD_FIELDS) for name in ODD_NAMES],
        queries=[{"name": name, "input": _ODD_FIELDS} for name in ODD_NAMES],
        actions=[
            {"name": name, "input": _ODD_FIELDS[:3] if position % 2 else []}
            for position, name in enumerate(ODD_NAMES)
        ],
    )
)

ALL_VALIDATORS: dict[str, Any] = {
    **{name: {"type": "string"} for name in ODD_NAMES},
    "number": {"type": "number"},
    "int": {"type": "int"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null", "optional": True},
    "any": {"type": "any"},
    "id": {"type": "id", "table": "Note"},
    "later": {"type": "not-yet-invented"},
    "none": {"type": "union", "variants": []},
    "empty": {"type": "object", "fields": {}},
    "nested": {"type": "object", "fields": {"in ner": {"type": "array", "items": ADDRESS}, "class": ADDRESS}},
    "mixed": {
        "type": "array",
        "items": {
            "type": "union",
            "variants": [
                {"type": "null"},
                *({"type": "literal", "value": value} for value in ('a"b', 1, 1.5, True, None)),
                ADDRESS,
            ],
        },
    },
}
ODD_RETURNS: tuple[dict[str, Any] | None, ...] = (
    {"type": "object", "fields": ALL_VALIDATORS},
    {"type": "record", "values": {"type": "object", "fields": {**ALL_VALIDATORS, "parts": ADDRESS}}},
    ALL_VALIDATORS["mixed"],
    ALL_VALIDATORS["none"],
    None,
    {"type": "null"},
    {"type": "record", "values": {"type": "union", "variants": [{"type": "int"}, {"type": "null"}]}},
)
ODD_FUNCTIONS = FunctionFiles(
    [
        function(name, (None, {}, ALL_VALIDATORS)[position % 3], ODD_RETURNS[position % 7])
        for position, name in enumerate(ODD_NAMES)
    ]
)

NOTHING = manifest(app(entities=[]))
EXAMPLES = {
    path.parent.name: parse_manifest(path.read_bytes())
    for path in sorted(ROOT.glob("examples/*/pylon.manifest.json"))
}

CLIENTS: dict[str, tuple[AppManifest, FunctionFiles | None]] = {
    **{f"example_{name}": (example, None) for name, example in EXAMPLES.items()},
    "shop": (SHOP, SHOP_FUNCTIONS),
    "shop_alone": (SHOP, None),
    "shop_typed": (SHOP, TYPED_FUNCTIONS),
    "odd": (ODD, ODD_FUNCTIONS),
    "odd_alone": (ODD, None),
    "nothing": (NOTHING, None),
    "no_functions": (NOTHING, FunctionFiles([])),
}
"""What every language must be able to say."""


App = tuple[AppManifest, FunctionFiles | None]


def plain_apps() -> st.SearchStrategy[App]:
    return st.tuples(manifests(), st.none())


_ANY_NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6) | st.sampled_from(ODD_NAMES),
    min_size=1,
    max_size=5,
    unique=True,
)
_VALIDATORS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from([{"type": name} for name in ("string", "int", "number", "boolean", "null", "any")])
    | st.sampled_from([{"type": "literal", "value": value} for value in ("a", 'quo"te', 1, 1.5, True)]),
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda values: {"type": "record", "values": values}, inner)
        | st.builds(lambda variants: {"type": "union", "variants": variants}, st.lists(inner, max_size=3))
        | st.builds(lambda names, one: {"type": "object", "fields": dict.fromkeys(names, one)}, _ANY_NAMES, inner)
        | inner.map(lambda one: {**one, "optional": True})
    ),
    max_leaves=4,
)


@st.composite
def odd_apps(draw: st.DrawFn) -> App:
    """Any names at all, also such as differ in case alone."""
    names = _ANY_NAMES | _ANY_NAMES.map(lambda few: list(dict.fromkeys([*few, *map(capitalised, few)])))
    fields = [field(name, optional=draw(st.booleans())) for name in draw(names) if name != "id"]
    declared = manifest(
        app(
            entities=[entity(name, fields=fields) for name in draw(names)],
            queries=[{"name": name, "input": fields} for name in draw(names)],
            actions=[{"name": name, "input": fields[1:]} for name in draw(names)],
        )
    )
    functions = [function(name, {"a": draw(_VALIDATORS)}, draw(_VALIDATORS)) for name in draw(names)]
    return declared, draw(st.sampled_from([None, FunctionFiles(functions)]))


def tsc(folder: Path, **options: Any) -> str:
    """What the compiler has against the files of a folder."""
    config = {"compilerOptions": {**COMPILER_OPTIONS, **options}, "include": ["*.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(config))
    return subprocess.run([TSC, "-p", folder], capture_output=True, text=True, check=False).stdout


def mypy(folder: Path) -> str:
    """What ``mypy --strict`` has against the files of a folder."""
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=.cache", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if found.returncode == 0 else found.stdout + found.stderr


def block(source: str, head: str) -> str:
    """A declaration, from its head to the closing brace in the first column."""
    found = re.search(rf"^{re.escape(head)}.*?^}};?$", source, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no {head!r}"
    return found[0]
