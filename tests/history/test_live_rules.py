"""The rules for live queries on a history made by hand: the good one passes, each rule catches what it is for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.history.evidence import Evidence
from tests.history.history import FinalState, History, Key, Kind, LogEntry, Row, Watched
from tests.history.live_rules import LIVE_RULES
from tests.history.model import EVERYBODY, rows_after
from tests.history.queries import QUERIES

VIEWERS = {"w": "ann"}
NAMES = {query.name: query for query in QUERIES}


@dataclass
class Story:
    """Three documents come, change hands and go while Ann watches, on two sockets."""

    log: list[LogEntry] = field(default_factory=list)
    records: list[Watched] = field(default_factory=list)
    final: FinalState = field(default_factory=lambda: FinalState([], {}, {}, {}))

    def logs(self, seq: int, row_id: str, kind: Kind, **row: Any) -> None:
        self.log.append(LogEntry(seq, "Doc", row_id, kind, None if kind == "delete" else {"id": row_id, **row}))

    def shows(
        self, seq: int, *rows: tuple[str, str], query: str = "latest", socket: int = 1, complete: bool = True
    ) -> None:
        self.records.append(
            Watched(at=0, client="w", socket=socket, query=query, seq=seq, rows=list(rows), complete=complete)
        )

    def ends(self) -> None:
        """All is well."""
        rows: dict[Key, Row] = rows_after(self.log)
        answers = {name: query.answer("ann", rows)[0] for name, query in NAMES.items()}
        self.final = FinalState(
            self.log,
            rows,
            {},
            {},
            lists={("w", name): answer for name, answer in answers.items()},
            answers={("server-0", "ann", name): answer for name, answer in answers.items()},
        )

    def violated(self) -> set[str]:
        known = Evidence(History(VIEWERS, list(self.records)), self.final)
        return {rule.__name__ for rule in LIVE_RULES if list(rule(known))}


A1, B1, B2, C1 = ("a", "t1"), ("b", "t2"), ("b", "t4"), ("c", "t3")


def a_good_story() -> Story:
    story = Story()
    story.logs(10, "a", "insert", tag="t1", owner="ann")
    story.logs(20, "b", "insert", tag="t2", owner=EVERYBODY)
    story.logs(30, "c", "insert", tag="t3", owner="bob")
    story.logs(40, "b", "update", tag="t4", owner=EVERYBODY)
    story.logs(50, "c", "update", tag="t5", owner="ann")
    story.logs(60, "a", "delete")
    story.shows(10, A1)
    story.shows(20, B1, A1)
    story.shows(40, B2, A1)
    story.shows(60, ("c", "t5"), B2)
    story.shows(20, B1, query="everybody's")
    story.shows(60, B2, query="everybody's")
    story.ends()
    return story


def test_a_good_history_breaks_no_rule() -> None:
    assert a_good_story().violated() == set()


def a_list_of_a_later_state_than_it_says(story: Story) -> None:
    story.shows(10, ("c", "t5"), B2, A1, socket=2)


def a_new_socket_that_begins_further_back(story: Story) -> None:
    story.shows(20, B1, A1, socket=2)


def nothing_that_is_the_answer_before_there_is_any(story: Story) -> None:
    story.shows(0, socket=2)


def a_list_that_stays_what_it_is_while_others_change(story: Story) -> None:
    story.shows(30, B1, query="everybody's", socket=2)


Break = Callable[[Story], None]


@pytest.mark.parametrize(
    "change",
    [
        a_list_of_a_later_state_than_it_says,
        a_new_socket_that_begins_further_back,
        nothing_that_is_the_answer_before_there_is_any,
        a_list_that_stays_what_it_is_while_others_change,
    ],
)
def test_what_may_happen_breaks_no_rule(change: Break) -> None:
    story = a_good_story()

    change(story)

    assert story.violated() == set()


BREAKS: list[tuple[str, Break]] = []


def breaks(rule: str) -> Callable[[Break], Break]:
    def register(change: Break) -> Break:
        BREAKS.append((rule, change))
        return change

    return register


SOME_STATE = "every_list_is_the_answer_of_some_state_and_none_older_than_before"
IN_THE_END = "lists_end_as_what_queries_answer"


@breaks(SOME_STATE)
def a_list_that_goes_back(story: Story) -> None:
    story.shows(60, B2, A1)


@breaks(SOME_STATE)
def a_list_older_than_it_says(story: Story) -> None:
    story.shows(40, B1, A1, socket=2)


@breaks(SOME_STATE)
def a_list_that_lacks_a_row(story: Story) -> None:
    story.shows(40, B2, socket=2)


@breaks(SOME_STATE)
def a_row_that_is_of_another_state_than_the_others(story: Story) -> None:
    story.shows(20, ("c", "t5"), B1, A1, socket=2)


@breaks(SOME_STATE)
def a_row_of_somebody_else(story: Story) -> None:
    story.shows(30, C1, B1, A1, socket=2)


@breaks(SOME_STATE)
def rows_in_the_wrong_order(story: Story) -> None:
    story.shows(20, A1, B1, socket=2)


@breaks(SOME_STATE)
def a_row_twice(story: Story) -> None:
    story.shows(10, A1, A1, socket=2)


@breaks(SOME_STATE)
def a_list_that_claims_that_there_is_more(story: Story) -> None:
    story.shows(10, A1, socket=2, complete=False)


@breaks(IN_THE_END)
def a_watcher_that_did_not_converge(story: Story) -> None:
    story.final.lists["w", "latest"] = []


@breaks(IN_THE_END)
def a_server_that_answers_otherwise(story: Story) -> None:
    story.final.answers["server-0", "ann", "everybody's"] = []


@breaks("every_list_is_there_in_the_end")
def a_query_that_was_never_answered(story: Story) -> None:
    del story.final.lists["w", "top"]


@pytest.mark.parametrize(("rule", "change"), BREAKS, ids=[change.__name__ for _, change in BREAKS])
def test_a_bad_history_is_caught_by_the_rule_for_it(rule: str, change: Break) -> None:
    story = a_good_story()

    change(story)

    assert story.violated() == {rule}


def test_every_rule_has_a_history_that_it_catches() -> None:
    assert {rule for rule, _ in BREAKS} == {rule.__name__ for rule in LIVE_RULES}


def test_an_answer_is_cut_at_its_limit_and_ties_go_by_id() -> None:
    rows: dict[Key, Row] = {
        ("Bump", row_id): {"id": row_id, "count": count}
        for row_id, count in [("d", 1), ("a", 1), ("c", 2), ("b", 1)]
    }

    answer, is_all = NAMES["top"].answer("ann", rows)

    assert ([row["id"] for row in answer], is_all) == (["c", "a", "b"], False)
