"""Just enough of Markdown to hold the documents against the code: fenced blocks, tables, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *DOCS.glob("*.md")])

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block: ``json manifest`` has the language ``json`` and the note ``manifest``."""

    language: str
    note: str
    text: str

    @property
    def file(self) -> str | None:
        return self.note.removeprefix("file=") if self.note.startswith("file=") else None


Table = list[list[str]]
"""The rows below the heading row; cells without surrounding space."""


class Document:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text()

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        found = []
        for info, text in _FENCE.findall(self.text):
            language, _, note = info.partition(" ")
            found.append(Block(language, note, text))
        return found

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        return {_anchor(heading) for heading in _HEADING.findall(self.prose)}

    def section(self, heading: str) -> str:
        """The prose below a heading, up to the next one of any level."""
        _, _, rest = self.prose.partition(f"# {heading}\n")
        assert rest, f"{self.path.name} has no heading {heading!r}"
        return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]

    def tables(self, first_heading: str) -> Iterator[Table]:
        """Every table whose first column has this heading."""
        for paragraph in self.prose.split("\n\n"):
            lines = [line for line in paragraph.strip().split("\n") if line.startswith("|")]
            if len(lines) > 1 and cells(lines[0])[0] == first_heading:
                yield [cells(line) for line in lines[2:]]


def cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL_BORDER.split(line.strip())[1:-1]]


def code(text: str) -> list[str]:
    """What stands in backticks."""
    return _CODE.findall(text)


def _anchor(heading: str) -> str:
    """As GitHub makes them."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")
