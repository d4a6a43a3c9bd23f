"""What the Python child makes of a functions folder, and what it tells of files that do not work."""

from pathlib import Path
from typing import Any

import pytest

from tests.pylon_functions.python.child import HEADER, PythonChild

FIRST_LINE = HEADER.count("\n") + 1


def loaded(root: Path, *, folder: str = "functions", **modules: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of its functions, and its problems as file, line behind the header, message."""
    with PythonChild(root, folder=folder, **modules) as child:
        names = sorted(entry["name"] for entry in child.ready["functions"])
        return names, [
            (problem["file"], problem["line"] and problem["line"] - FIRST_LINE + 1, problem["message"])
            for problem in child.ready["problems"]
        ]


GOOD = "@query\ndef good(ctx): return 1\n"


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("import nowhere\n", 1, "ModuleNotFoundError: No module named 'nowhere'"),
        ("\ndef half(:\n", 2, "SyntaxError: invalid syntax"),
        ("def fail():\n    raise ValueError('x')\nfail()\n", 2, "ValueError: x"),
        ("exit(1)\n", 1, "SystemExit: 1"),
        ("raise RuntimeError\n", 1, "RuntimeError"),
    ],
    ids=["import", "syntax", "raise", "exit", "silent"],
)
def test_a_file_that_does_not_load_is_told_of_where_it_fails(
    tmp_path: Path, body: str, line: int, message: str
) -> None:
    names, problems = loaded(tmp_path, good=GOOD, bad=body)

    assert names == ["good"]
    assert problems == [("bad.py", line, message)]


def test_an_error_in_a_helper_is_told_of_where_it_is(tmp_path: Path) -> None:
    deep = tmp_path / "functions" / "deep"
    deep.mkdir(parents=True)
    (deep / "helper.py").write_text("\n1 / 0\n")

    _, problems = loaded(tmp_path, bad="from functions.deep import helper\n")

    assert [(file, message) for file, _, message in problems] == [
        ("deep/helper.py", "ZeroDivisionError: division by zero")
    ]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("async def f(ctx): pass", "async"),
        ("def f(ctx): yield 1", "yields"),
        ("def f(): pass", "first parameter must be the context"),
        ("def f(*, ctx): pass", "first parameter must be the context"),
        ("def f(ctx, a, /): pass", "'a' cannot be given by name"),
        ("def f(ctx, *rest): pass", "'rest' cannot be given by name"),
        ("def f(ctx, a: 'Nowhere'): pass", "Nowhere"),
        ("def f(ctx, a: list[int] | set[int]): pass", "more than one array-like"),
    ],
    ids=["async", "generator", "no context", "keyword context", "positional", "var positional", "name", "type"],
)
def test_a_function_that_cannot_be_called_is_left_out_and_told_of(tmp_path: Path, function: str, why: str) -> None:
    names, problems = loaded(tmp_path, shop=f"{GOOD}@query\n{function}\n")

    assert names == ["good"]
    ((file, line, message),) = problems
    assert (file, line) == ("shop.py", 3)
    assert message.startswith("The function f cannot be used: ")
    assert why in message


def test_the_type_of_the_context_may_be_imported_for_type_checkers_only(tmp_path: Path) -> None:
    body = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from pylon_functions import QueryContext
@query
def typed(ctx: QueryContext, n: int) -> "Nowhere": return n + 1
"""
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "typed.py").write_text(
        body.replace("from typing", "from pylon_functions import query\nfrom typing", 1)
    )
    with PythonChild(tmp_path) as child:
        assert child.ready["problems"] == []
        assert child.run("typed", {"n": 1})["value"] == 2


def test_of_two_functions_with_one_name_the_later_counts_and_it_is_said(tmp_path: Path) -> None:
    names, problems = loaded(tmp_path, a=GOOD, b=GOOD)

    assert names == ["good"]
    assert problems == [("b.py", 1, "a.py defines good as well; this one counts.")]


def test_what_another_file_defines_is_not_taken_twice_and_what_a_helper_made_is_taken(tmp_path: Path) -> None:
    names, problems = loaded(
        tmp_path,
        _making="def listing(entity):\n    def rows(ctx): return ctx.db.list(entity)\n    return rows\n",
        a="from functions.z import good\n",
        b="from functions._making import listing\nlots = query(name='listLots')(listing('Lot'))\n",
        z=GOOD,
    )

    assert (names, problems) == (["good", "listLots"], [])


def test_modules_that_import_each_other_load(tmp_path: Path) -> None:
    names, problems = loaded(
        tmp_path,
        a="from functions import b\n@query\ndef from_a(ctx): return b.B\n",
        b="from functions import a\nB = 1\n@query\ndef from_b(ctx): return 1\n",
    )

    assert (names, problems) == (["from_a", "from_b"], [])


@pytest.mark.parametrize("folder", ["json", "my-functions", "click", "api"])
def test_the_folder_may_have_any_name(tmp_path: Path, folder: str) -> None:
    names, problems = loaded(tmp_path, folder=folder, _shared="ONE = 1\n", a=f"from ._shared import ONE\n{GOOD}")

    assert (names, problems) == (["good"], [])


def test_sources_count_and_not_what_was_compiled_of_them(tmp_path: Path) -> None:
    """Two saves within one second, of one size: to a compiled copy they look the same."""
    version = "@query\ndef version(ctx): return {}\n"
    (tmp_path / "beside.py").write_text("X = 1\n")
    for expected in (1, 2):
        with PythonChild(
            tmp_path, environ={"PYTHONDONTWRITEBYTECODE": ""}, a=f"import beside\n{version.format(expected)}"
        ) as child:
            assert child.run("version")["value"] == expected
            child.end()

    assert list(tmp_path.rglob("__pycache__")) == []
