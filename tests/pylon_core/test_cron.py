"""The cron grammar: what it means, and what it refuses, and where (contract 14 §6.1)."""

import pytest

from pylon_core.cron import CronError, parse_cron


@pytest.mark.parametrize(
    ("text", "member", "values"),
    [
        ("* * * * *", "minutes", tuple(range(60))),
        ("*/20 * * * *", "minutes", (0, 20, 40)),
        ("*/90 * * * *", "minutes", (0,)),
        ("* 9-11,8 * * *", "hours", (8, 9, 10, 11)),
        ("* * */10 * *", "days", (1, 11, 21, 31)),
        ("* * * 12,1 *", "months", (1, 12)),
        ("* * * * 0-6", "weekdays", (0, 1, 2, 3, 4, 5, 6)),
        ("  0\t09 * * 1-5 ", "hours", (9,)),
        ("0 0 29 2 *", "days", (29,)),
    ],
)
def test_a_field_stands_for_its_values(text: str, member: str, values: tuple[int, ...]) -> None:
    assert getattr(parse_cron(text), member) == values


def test_spaces_between_fields_do_not_matter() -> None:
    assert parse_cron(" 0 \t 9 * * 1").text == "0 9 * * 1"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("* * *", 1, "3 fields"),
        ("* * * * * *", 1, "6 fields"),
        ("@daily", 1, "1 fields"),
        ("60 * * * *", 1, "from 0 to 59"),
        ("* 24 * * *", 3, "from 0 to 23"),
        ("* * 0 * *", 5, "from 1 to 31"),
        ("* * * 13 *", 7, "from 1 to 12"),
        ("* * * * 7", 9, "from 0 to 6"),
        ("*/0 * * * *", 3, "step of 0"),
        ("*/x * * * *", 3, "'x'"),
        ("abc * * * *", 1, "'abc'"),
        ("* * * JAN *", 7, "'JAN'"),
        ("0 1-5/2 * * *", 5, "'5/2'"),
        ("1,*/5 * * * *", 3, "'*/5'"),
        ("5-1 * * * *", 1, "ends before it begins"),
        ("1,,2 * * * *", 3, "''"),
        ("1-61 * * * *", 3, "from 0 to 59"),
        ("-1 * * * *", 1, "''"),
        ("٣ * * * *", 1, "number"),
        ("* * 31 2,4 *", 5, "no such day"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_its_place(text: str, column: int, said: str) -> None:
    with pytest.raises(CronError) as refused:
        parse_cron(text)

    assert refused.value.column == column
    assert said in str(refused.value)
