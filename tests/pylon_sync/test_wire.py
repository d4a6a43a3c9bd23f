"""The JSON of a change event is what published clients decode (contract 05 §2)."""

from collections.abc import Mapping
from typing import Any

from pylon_core import jsontext
from pylon_http import ChangeEvent, ChangeKind
from pylon_sync.wire import delete_event, row_event, shown_event

EVENT = ChangeEvent(
    42,
    "Note",
    "n1",
    ChangeKind.UPDATE,
    {"id": "n1", "title": "Draft 2", "done": False, "count": 0, "ratio": 1.0, "_secret": "s"},
    {"title": "Draft"},
    1_767_225_600_250,
)


def without_secret(entity: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in row.items() if name != "_secret"}


def decoded(value: Any) -> Any:
    return jsontext.decode(jsontext.encode(value))


def test_a_row_event_carries_the_projected_post_image_in_its_declared_types() -> None:
    assert jsontext.encode(row_event(EVENT, without_secret)) == (
        b'{"seq":42,"entity":"Note","row_id":"n1","kind":"update","timestamp":"2026-01-01T00:00:00.250Z",'
        b'"data":{"id":"n1","title":"Draft 2","done":false,"count":0,"ratio":1.0}}'
    )


def test_a_delete_has_no_data_member() -> None:
    assert decoded(delete_event(EVENT)) == {
        "seq": 42,
        "entity": "Note",
        "row_id": "n1",
        "kind": "delete",
        "timestamp": "2026-01-01T00:00:00.250Z",
    }


def test_a_viewer_is_shown_the_row_a_delete_or_nothing() -> None:
    always = shown_event(EVENT, lambda row: True, without_secret)
    before_only = shown_event(EVENT, lambda row: row["title"] == "Draft", without_secret)
    never = shown_event(EVENT, lambda row: False, without_secret)

    assert (always, before_only, never) == (row_event(EVENT, without_secret), delete_event(EVENT), None)
