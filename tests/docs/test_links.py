"""Every link in the documents leads somewhere: files exist, anchors are headings, pictures are small."""

from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, DOCUMENTS, ROOT, Document

PICTURE_BYTES_MAX = 200_000


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_and_anchor_resolves(path: Path) -> None:
    broken = [link for link in Document(path).links if "://" not in link and not _resolves(path, link)]

    assert broken == []


def test_every_document_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link).resolve() for link in Document(ROOT / "README.md").links}

    assert set(DOCS.glob("*.md")) <= linked


def test_every_picture_is_used_and_small() -> None:
    used = {(path.parent / link).resolve() for path in DOCUMENTS for link in Document(path).links}
    pictures = list((DOCS / "images").iterdir())

    assert set(pictures) <= used
    assert [picture.name for picture in pictures if picture.stat().st_size > PICTURE_BYTES_MAX] == []


def _resolves(path: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = path if not file else (path.parent / file).resolve()
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in Document(target).anchors)
