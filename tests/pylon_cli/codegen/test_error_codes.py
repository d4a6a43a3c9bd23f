"""Clients know every code that the server answers with: those in the list of errors but for what commands say."""

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.error_codes import ERROR_CODES
from pylon_core.errors import PUBLISHED_CODES
from tests.docs.markdown import DOCS, Document, cells, code
from tests.pylon_cli.codegen.apps import NOTHING

OF_COMMANDS = ("Starting", "Manifest and policies")


def test_every_code_of_the_server_is_in_the_union() -> None:
    document = Document(DOCS / "errors.md")
    text = document.prose
    for section in OF_COMMANDS:
        text = text.replace(document.section(section), "")
    rows = [cells(line) for line in text.splitlines() if line.startswith("| `")]

    answered = {name for row in rows for name in code(row[0])}

    assert answered - set(ERROR_CODES) == set(), "add them to pylon_cli/codegen/error_codes.py"
    assert set(ERROR_CODES) - answered - set(PUBLISHED_CODES) == set(), "these are gone"


def test_the_published_codes_come_first_and_none_comes_twice() -> None:
    assert ERROR_CODES[: len(PUBLISHED_CODES)] == PUBLISHED_CODES
    assert len(set(ERROR_CODES)) == len(ERROR_CODES)


def test_the_typescript_union_has_them_all_in_that_order() -> None:
    source = client_source("ts", NOTHING, None)

    union = "export type AgentDBErrorCode =" + "".join(f'\n  | "{name}"' for name in ERROR_CODES) + ";"

    assert union in source
