"""The rules for shared texts on histories made by hand: the good one passes, each rule catches what it is for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.history.checker import RULES, check
from tests.history.history import Accepted, AnyRecord, FinalState, Gap, History, LogEntry, Read, Typed
from tests.history.model import rows_after
from tests.history.shared_text import ENTITY, FIELD
from tests.history.text_rules import TEXT_RULES

VIEWERS = {"a": "ann", "b": "bob"}


@dataclass
class Story:
    """Ann and Bob write at the same time; ``versions`` are those of the log, and the last one is everywhere."""

    versions: list[str] = field(default_factory=list)
    records: list[AnyRecord] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    untold: int = 0

    def types(self, at: float, tag: str, after: str | None, before: str | None) -> None:
        """Saved a tenth of a second later, and accepted by the server after half of one."""
        self.records += [
            Typed(at=at, client=tag[0], tag=tag, after=after, before=before, saved_at=at + 0.1),
            Accepted(at=at + 0.5, client=tag[0], tags=[tag]),
        ]

    def reads(self, at: float, client: str, text: str) -> None:
        self.records.append(Read(at=at, asked_at=at, client=client, text=text))

    def violated(self) -> set[str]:
        log = [
            LogEntry(10 * number, ENTITY, "p", "insert" if number == 0 else "update", {"id": "p", FIELD: text})
            for number, text in enumerate(self.versions)
        ]
        texts = dict.fromkeys(("a", "b", "server-0"), self.versions[-1]) | self.texts
        final = FinalState(log, rows_after(log), {}, {}, texts=texts, untold=self.untold)
        return {violation.rule for violation in check(History(VIEWERS, self.records), final)}


def a_good_story() -> Story:
    story = Story(["", "[a-1]", "[a-1][b-1]", "[a-1][a-2][b-1]", "[a-1][a-2][b-1][b-2]"])
    story.types(1.0, "a-1", None, None)
    story.types(1.2, "b-1", None, None)
    story.types(2.0, "a-2", "a-1", "b-1")
    story.types(3.0, "b-2", "b-1", None)
    story.reads(1.4, "b", "[b-1]")
    story.reads(2.5, "a", "[a-1][a-2][b-1]")
    return story


def test_a_good_history_breaks_no_rule() -> None:
    assert a_good_story().violated() == set()


def test_one_that_no_answer_came_for_may_be_there() -> None:
    story = a_good_story()
    story.records = [record for record in story.records if not isinstance(record, Accepted)]

    assert story.violated() == set()


def test_one_that_is_accepted_again_after_a_restart_breaks_no_rule() -> None:
    story = a_good_story()
    story.records.append(Accepted(at=9.0, client="a", tags=["a-1", "a-2"]))

    assert story.violated() == set()


Break = Callable[[Story], None]
BREAKS: list[tuple[str, Break]] = []


def breaks(rule: str) -> Callable[[Break], Break]:
    def register(change: Break) -> Break:
        BREAKS.append((rule, change))
        return change

    return register


@breaks("every_insertion_is_in_the_text_once")
def a_lost_insertion(story: Story) -> None:
    story.versions[-1] = "[a-1][b-1][b-2]"


@breaks("every_insertion_is_in_the_text_once")
def an_insertion_that_never_came(story: Story) -> None:
    story.types(4.0, "a-3", None, None)


@breaks("every_insertion_is_in_the_text_once")
def an_insertion_made_twice(story: Story) -> None:
    story.versions.append("[a-1][a-2][b-1][b-2][a-2]")


@breaks("nothing_is_in_the_text_that_nobody_typed")
def a_mark_from_nowhere(story: Story) -> None:
    story.versions.append("[a-1][a-2][b-1][b-2][c-1]")


@breaks("nothing_is_in_the_text_that_nobody_typed")
def a_mark_torn_by_another(story: Story) -> None:
    story.versions.append("[a-1][a[b-2]-2][b-1]")


@breaks("nothing_is_in_the_text_that_nobody_typed")
def a_half_mark_that_was_mended(story: Story) -> None:
    story.versions.insert(2, "[a-1][b-")


@breaks("each_version_of_the_text_keeps_those_before")
def a_mark_that_went_and_came_back(story: Story) -> None:
    story.versions.insert(3, "[a-1]")


@breaks("each_version_of_the_text_keeps_those_before")
def marks_that_changed_places(story: Story) -> None:
    story.versions.insert(2, "[b-1][a-1]")


@breaks("an_insertion_stands_where_it_was_typed")
def an_insertion_elsewhere(story: Story) -> None:
    story.types(4.0, "a-3", "a-1", "a-2")
    story.versions.append("[a-1][a-2][b-1][b-2][a-3]")


@breaks("readers_see_versions_of_the_text_with_all_their_own")
def an_own_mark_that_is_not_shown(story: Story) -> None:
    story.reads(2.6, "a", "[a-1][b-1]")


@breaks("readers_see_versions_of_the_text_with_all_their_own")
def a_text_in_another_order(story: Story) -> None:
    story.reads(2.6, "b", "[b-1][a-1]")


@breaks("document_feeds_have_no_gaps")
def an_addition_without_what_it_builds_on(story: Story) -> None:
    story.records.append(Gap(at=1.0, client="a", life=1, what="a frame"))


@breaks("everybody_has_the_same_text")
def an_editor_that_did_not_converge(story: Story) -> None:
    story.texts = {"b": "[a-1][b-1][b-2]"}


@breaks("everybody_has_the_same_text")
def a_document_that_is_not_its_row(story: Story) -> None:
    story.texts = {"server-0": "[a-1]"}


@breaks("everybody_has_the_same_text")
def an_editor_that_is_not_done(story: Story) -> None:
    story.untold = 1


@breaks("what_was_done_is_before_what_was_begun_later")
def an_insertion_that_overtook_an_accepted_one(story: Story) -> None:
    story.versions = ["", "[a-1]", "[a-1][b-2]", "[a-1][b-1][b-2]", "[a-1][a-2][b-1][b-2]"]


@pytest.mark.parametrize(("rule", "change"), BREAKS, ids=[change.__name__ for _, change in BREAKS])
def test_a_bad_history_is_caught_by_the_rule_for_it(rule: str, change: Break) -> None:
    story = a_good_story()

    change(story)

    assert rule in story.violated()


def test_every_rule_has_a_history_that_it_catches() -> None:
    others = {rule.__name__ for rule in RULES}

    assert {rule for rule, _ in BREAKS} - others == {rule.__name__ for rule in TEXT_RULES}
