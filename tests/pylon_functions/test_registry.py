"""Names that are the server's own: who has one is left out and told, and everybody else is kept."""

import pytest

from pylon_functions.registry import FileProblem, FunctionDefinition, FunctionKind, WorkflowOptions, usable


@pytest.mark.parametrize("kind", FunctionKind)
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("traces", '"traces"'),
        ("pylon.", 'what begins with "pylon."'),
        ("pylon.workflow", 'what begins with "pylon."'),
        ("pylon.of.mine", 'what begins with "pylon."'),
    ],
)
def test_what_has_a_name_of_the_servers_is_left_out_and_told(kind: FunctionKind, name: str, rule: str) -> None:
    mine = FunctionDefinition("mine", kind)

    kept, problems = usable((FunctionDefinition(name, kind), mine))

    assert kept == {"mine": mine}
    message = f'The function "{name}" is left out: {rule} is the server\'s own.'
    assert problems == (FileProblem("", None, message),)


def test_a_problem_says_the_file_where_that_is_known() -> None:
    options = WorkflowOptions(file="order.ts")

    _, (problem,) = usable((FunctionDefinition("pylon.order", FunctionKind.WORKFLOW, options=options),))

    assert problem.file == "order.ts"


@pytest.mark.parametrize("name", ["trace", "Traces", "traces2", "pylon", "pylonic", "my.pylon.x", "Pylon.x"])
def test_what_only_looks_like_one_is_kept(name: str) -> None:
    kept, problems = usable((FunctionDefinition(name, FunctionKind.QUERY),))

    assert (list(kept), problems) == ([name], ())
