"""What ARCHITECTURE.md names exists, and what must be in it is: modules, classes, locks, packages, libraries."""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.docs.markdown import ROOT, Document, code
from tests.docs.sources import modules

ARCHITECTURE = Document(ROOT / "ARCHITECTURE.md")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(\(\))?")
_LOCKS = frozenset({"Lock", "RLock", "Condition"})


def _names() -> set[str]:
    """Every module, class and function, with and without what it is in, and what classes set on ``self``."""
    names: set[str] = set()
    for path, tree in modules():
        module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        names |= {module, module.rpartition(".")[2], module.partition(".")[0]}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names |= {node.name, f"{module}.{node.name}"}
                names |= {f"{node.name}.{member}" for member in _members(node)}
            elif isinstance(node, ast.FunctionDef):
                names |= {node.name, f"{module}.{node.name}", f"{module.rpartition('.')[2]}.{node.name}"}
    return names


def _members(owner: ast.ClassDef) -> Iterator[str]:
    for node in ast.walk(owner):
        match node:
            case ast.FunctionDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
                yield name


def _looks_like_ours(word: str) -> bool:
    """A name of code: with a dot, brackets or capitals, but no constant and no file."""
    if not _NAME.fullmatch(word) or word.isupper() or word.endswith((".md", ".py", ".toml")):
        return False
    return "." in word or word.endswith("()") or word != word.lower() or word.startswith("pylon_")


def _locks() -> set[str]:
    found: set[str] = set()
    for _, tree in modules():
        for owner in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for node in ast.walk(owner):
                match node:
                    case ast.Assign(
                        targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)],
                        value=ast.Call(func=ast.Attribute(value=ast.Name(id="threading"), attr=kind)),
                    ) if kind in _LOCKS:
                        found.add(f"{owner.name}.{name}")
    return found


def test_every_name_it_cites_exists() -> None:
    cited = code(ARCHITECTURE.prose)

    ours = {word.removesuffix("()") for word in cited if _looks_like_ours(word)}

    assert len(ours) > 40
    assert sorted(ours - _names()) == []


def test_every_lock_is_in_it() -> None:
    cited = set(code(ARCHITECTURE.section("Locks"))) | {"GroupCommitter._idle"}  # named beside its lock

    assert sorted(_locks() - cited) == []


def test_every_package_has_its_floor() -> None:
    (picture,) = (block.text for block in ARCHITECTURE.blocks if "pylon_cli" in block.text)

    packages = {path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").exists()}

    assert set(re.findall(r"pylon_\w+", picture)) == packages


def test_the_floors_are_those_the_import_linter_holds() -> None:
    (picture,) = (block.text for block in ARCHITECTURE.blocks if "pylon_cli" in block.text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]

    floors = [set(re.findall(r"pylon_\w+", line)) for line in picture.split("\n")]

    assert [floor for floor in floors if floor] == [set(layer.split(" | ")) for layer in layers]


def test_every_library_of_the_project_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups.append(project["build-system"]["requires"])
    needed = {re.split(r"[<>=]", requirement)[0] for group in groups for requirement in group}

    (table,) = ARCHITECTURE.tables("Library")
    listed = [name for names, _ in table for name in names.split(", ")]

    assert sorted(listed) == sorted(needed)


@pytest.mark.parametrize("package", ["sync", "functions"])
def test_the_typescript_packages_it_speaks_of_are_there(package: str) -> None:
    assert (ROOT / "packages" / package / "src" / "index.ts").is_file()
