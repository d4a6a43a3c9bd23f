"""A viewer learns of a change exactly when it could read the row before or can after it."""

from collections.abc import Mapping
from typing import Any

import pytest

from pylon_http import ChangeEvent, ChangeKind
from pylon_sync.visibility import Sight, sight

INSERT, UPDATE, DELETE = ChangeKind.INSERT, ChangeKind.UPDATE, ChangeKind.DELETE
MINE, THEIRS = {"id": "n1", "owner": "me", "title": "t"}, {"id": "n1", "owner": "you", "title": "t"}


def is_mine(row: Mapping[str, Any]) -> bool:
    return row.get("owner") == "me"


@pytest.mark.parametrize(
    ("kind", "row", "before", "expected"),
    [
        pytest.param(INSERT, MINE, None, Sight.ROW, id="my row appears"),
        pytest.param(INSERT, THEIRS, None, Sight.NOTHING, id="their row appears"),
        pytest.param(UPDATE, MINE, None, Sight.ROW, id="my row changes in another field"),
        pytest.param(UPDATE, THEIRS, None, Sight.NOTHING, id="their row changes in another field"),
        pytest.param(UPDATE, MINE, {"owner": "you"}, Sight.ROW, id="their row becomes mine"),
        pytest.param(UPDATE, THEIRS, {"owner": "me"}, Sight.DELETE, id="my row becomes theirs"),
        pytest.param(UPDATE, THEIRS, {"owner": "him"}, Sight.NOTHING, id="a row passes between others"),
        pytest.param(DELETE, None, {"owner": "me"}, Sight.DELETE, id="my row is deleted"),
        pytest.param(DELETE, None, {"owner": "you"}, Sight.NOTHING, id="their row is deleted"),
        pytest.param(DELETE, None, None, Sight.NOTHING, id="a row nothing is known of is deleted"),
        pytest.param(INSERT, THEIRS, {"owner": "me"}, Sight.DELETE, id="my row is replaced by theirs"),
    ],
)
def test_what_a_viewer_sees(
    kind: ChangeKind, row: dict[str, Any] | None, before: dict[str, Any] | None, expected: Sight
) -> None:
    event = ChangeEvent(1, "Note", "n1", kind, row, before, 0)

    assert sight(event, is_mine) is expected


def test_the_row_before_a_change_has_the_fields_that_did_not_change() -> None:
    event = ChangeEvent(1, "Note", "n1", UPDATE, {"id": "n1", "owner": "me", "public": False}, {"public": True}, 0)
    judged: list[Mapping[str, Any]] = []

    def refuse(row: Mapping[str, Any]) -> bool:
        judged.append(row)
        return False

    sight(event, refuse)

    assert judged == [
        {"id": "n1", "owner": "me", "public": False},
        {"id": "n1", "owner": "me", "public": True},
    ]


def test_a_policy_may_ask_for_the_id_of_a_deleted_row() -> None:
    event = ChangeEvent(1, "User", "u1", DELETE, None, {}, 0)

    assert sight(event, lambda row: row.get("id") == "u1") is Sight.DELETE
