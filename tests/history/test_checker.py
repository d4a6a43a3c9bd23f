"""The checker on a history made by hand: it accepts the good one, and each rule catches what it is for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from tests.history.checker import RULES, check
from tests.history.history import (
    AnyRecord,
    Called,
    Event,
    FinalState,
    Heard,
    History,
    Invoked,
    Key,
    Kind,
    LogEntry,
    Outcome,
    Pulled,
    Queued,
    Refused,
    Replica,
    Row,
    Settled,
    Viewed,
)
from tests.history.model import Versions, events_for, readable, rows_after

REGISTER, COUNTER, DOC, BUMP, ENTRY = (
    ("Register", "r"),
    ("Counter", "c"),
    ("Doc", "d"),
    ("Bump", "b"),
    ("Entry", "e"),
)
VIEWERS = {"a": "ann", "b": "bob"}


@dataclass
class Story:
    """Ann writes a document and gives it to Bob, who deletes it; both overwrite a register; somebody counts."""

    log: list[LogEntry] = field(default_factory=list)
    records: list[AnyRecord] = field(default_factory=list)
    final: FinalState = field(default_factory=lambda: FinalState([], {}, {}, {}))

    def logs(self, seq: int, key: Key, kind: Kind, **row: Any) -> None:
        self.log.append(LogEntry(seq, *key, kind, None if kind == "delete" else {"id": key[1], **row}))
        self.log.sort(key=lambda entry: entry.seq)

    def writes(
        self, begun: float, tag: str, kind: Kind, key: Key, outcome: Outcome = "applied", **data: Any
    ) -> None:
        """Invoked, saved, and answered half a second later."""
        client, (entity, row_id) = tag[0], key
        if kind != "delete":
            data["tag"] = tag
        named = None if kind == "insert" else row_id
        about: dict[str, Any] = {"client": client, "life": 1, "tag": tag}
        self.records += [
            Invoked(at=begun, kind=kind, entity=entity, row_id=named, data=data, **about),
            Queued(at=begun + 0.1, op_id=f"op-{tag}", row_id=f"~{tag}" if kind == "insert" else row_id, **about),
        ]
        if outcome != "unknown":
            known = None if kind == "delete" else tag
            self.records.append(
                Settled(
                    at=begun + 0.5, client=client, op_id=f"op-{tag}", tag=known, outcome=outcome, row_id=row_id
                )
            )

    def calls(self, begun: float, tag: str, outcome: Outcome, count: int | None) -> None:
        self.records.append(
            Called(
                at=begun,
                answered_at=begun + 0.5,
                client="z",
                tag=tag,
                counter=COUNTER[1],
                outcome=outcome,
                count=count,
            )
        )

    def views(self, at: float, client: str, cursor: int, *, life: int = 1, **changes: Any) -> None:
        """What the client ought to see at that cursor, but for the changes."""
        rows = dict(Versions(events_for(VIEWERS[client], self.log)).at(cursor))
        view = Viewed(at=at + 0.01, asked_at=at, client=client, life=life, cursor=cursor, rows=rows, overlaid={})
        self.records.append(msgspec.structs.replace(view, **changes))

    def pulls(self, client: str, since: int, last_seq: int) -> None:
        events = [event for event in self.events(client) if since < event.seq <= last_seq]
        self.records.append(Pulled(at=0.0, client=client, life=1, since=since, last_seq=last_seq, events=events))

    def hears(self, client: str, *seqs: int, socket: int = 1) -> None:
        by_seq = {event.seq: event for event in self.events(client)}
        self.records += [Heard(at=0.0, client=client, life=1, socket=socket, event=by_seq[seq]) for seq in seqs]

    def events(self, client: str) -> list[Event]:
        return events_for(VIEWERS[client], self.log)

    def ends(self) -> None:
        """All is well."""
        rows = rows_after(self.log)
        self.final = FinalState(
            log=self.log,
            rows=rows,
            pulls={(server, user): readable(user, rows) for server in "01" for user in VIEWERS.values()},
            replicas={client: Replica(readable(user, rows), {}, 0) for client, user in VIEWERS.items()},
        )

    def forget(self, kind: type[AnyRecord], **members: Any) -> None:
        """The records of a kind with these members never were."""
        self.records = [
            record
            for record in self.records
            if not isinstance(record, kind)
            or any(getattr(record, name) != value for name, value in members.items())
        ]

    def alter(self, seq: int, **members: Any) -> None:
        """The log has other members in that row."""
        self.log = [
            LogEntry(entry.seq, entry.entity, entry.row_id, entry.kind, {**entry.row, **members})
            if entry.seq == seq and entry.row is not None
            else entry
            for entry in self.log
        ]

    def violated(self) -> set[str]:
        return {violation.rule for violation in check(History(VIEWERS, self.records), self.final)}


def a_good_story() -> Story:
    story = Story()
    story.logs(10, REGISTER, "insert", tag="made-0")
    story.logs(20, COUNTER, "insert", count=0)
    story.logs(30, DOC, "insert", tag="a-1", owner="ann")
    story.logs(40, REGISTER, "update", tag="b-1")
    story.logs(50, DOC, "update", tag="a-2", owner="bob")
    story.logs(60, COUNTER, "update", count=1)
    story.logs(61, BUMP, "insert", tag="z-1", counter=COUNTER[1], count=1)
    story.logs(70, DOC, "delete")
    story.logs(80, ENTRY, "insert", tag="a-3")
    story.logs(90, REGISTER, "update", tag="a-4")
    story.writes(1.0, "a-1", "insert", DOC, owner="ann")
    story.writes(2.0, "b-1", "update", REGISTER)
    story.writes(3.0, "a-2", "update", DOC, owner="bob")
    story.calls(4.0, "z-1", "applied", 1)
    story.writes(5.0, "b-2", "delete", DOC)
    story.writes(6.0, "a-3", "insert", ENTRY)
    story.writes(7.0, "a-4", "update", REGISTER)
    for client in VIEWERS:
        story.pulls(client, 0, 30)
        story.pulls(client, 30, 90)
    story.hears("a", 30, 40, 50, 60, 61)
    story.hears("a", 80, 90, socket=2)
    story.hears("b", 40, 50, 60, 61, 70)
    story.views(2.6, "b", 40)
    story.views(3.6, "a", 60)
    story.views(9.0, "a", 90)
    story.views(9.0, "b", 90)
    story.ends()
    return story


def test_a_good_history_breaks_no_rule() -> None:
    assert a_good_story().violated() == set()


Break = Callable[[Story], None]
BREAKS: list[tuple[str, str, Break]] = []


def breaks(rule: str) -> Callable[[Break], Break]:
    def register(change: Break) -> Break:
        BREAKS.append((rule, change.__name__, change))
        return change

    return register


@breaks("an_acknowledged_write_is_in_the_log")
def a_lost_insert(story: Story) -> None:
    story.log = [entry for entry in story.log if entry.seq != 80]
    story.ends()


@breaks("an_acknowledged_write_is_in_the_log")
def a_lost_delete(story: Story) -> None:
    story.log = [entry for entry in story.log if entry.seq != 70]
    story.ends()


@breaks("an_acknowledged_write_is_in_the_log")
def a_lost_increment(story: Story) -> None:
    story.calls(8.0, "z-2", "applied", 2)


@breaks("an_acknowledged_write_is_in_the_log")
def an_insert_acknowledged_under_another_id(story: Story) -> None:
    story.forget(Settled, tag="a-3")
    story.records.append(
        Settled(at=6.5, client="a", op_id="op-a-3", tag="a-3", outcome="applied", row_id="elsewhere")
    )


@breaks("a_refused_write_left_no_trace")
def a_refused_update_that_was_made(story: Story) -> None:
    story.forget(Settled, tag="a-4")
    story.records.append(
        Settled(at=7.5, client="a", op_id="op-a-4", tag="a-4", outcome="failed", row_id=REGISTER[1])
    )


@breaks("a_refused_write_left_no_trace")
def a_refused_increment_that_was_made(story: Story) -> None:
    story.forget(Called)
    story.calls(4.0, "z-1", "failed", None)


@breaks("nothing_is_there_that_nobody_wrote")
def a_row_from_nowhere(story: Story) -> None:
    story.logs(95, ("Entry", "e2"), "insert", tag="x-1")
    story.ends()


@breaks("nothing_is_there_that_nobody_wrote")
def a_write_with_other_data(story: Story) -> None:
    story.alter(30, owner="bob")
    story.ends()


@breaks("nothing_is_there_that_nobody_wrote")
def a_write_on_another_row(story: Story) -> None:
    story.log = [entry for entry in story.log if entry.seq != 90]
    story.logs(90, ("Register", "r2"), "update", tag="a-4")
    story.ends()


@breaks("nothing_is_there_that_nobody_wrote")
def a_delete_that_nobody_asked_for(story: Story) -> None:
    story.logs(95, ENTRY, "delete")
    story.ends()


@breaks("no_write_was_applied_twice")
def an_insert_made_twice(story: Story) -> None:
    story.logs(95, ("Entry", "e2"), "insert", tag="a-3")
    story.ends()


@breaks("no_write_was_applied_twice")
def an_update_that_came_back(story: Story) -> None:
    story.logs(95, REGISTER, "update", tag="b-1")
    story.ends()


@breaks("no_write_was_applied_twice")
def one_delete_that_two_were_told_of(story: Story) -> None:
    story.writes(5.0, "b-3", "delete", DOC)


@breaks("what_was_done_is_before_what_was_begun_later")
def a_write_that_overtook_an_acknowledged_one(story: Story) -> None:
    story.forget(Invoked, tag="b-1")
    story.records.append(
        Invoked(
            at=8.0,
            client="b",
            life=1,
            tag="b-1",
            kind="update",
            entity="Register",
            row_id="r",
            data={"tag": "b-1"},
        )
    )


@breaks("what_was_done_is_before_what_was_begun_later")
def an_increment_that_overtook_an_acknowledged_write(story: Story) -> None:
    story.forget(Called)
    story.calls(8.0, "z-1", "applied", 1)


@breaks("writes_of_one_client_keep_their_order")
def a_queue_sent_out_of_order(story: Story) -> None:
    story.log = [entry for entry in story.log if entry.seq != 80]
    story.logs(25, ENTRY, "insert", tag="a-3")
    story.ends()


@breaks("increments_are_each_counted_once")
def a_lost_update_of_a_counter(story: Story) -> None:
    story.calls(4.0, "z-2", "applied", 1)
    story.logs(65, COUNTER, "update", count=1)
    story.logs(66, ("Bump", "b2"), "insert", tag="z-2", counter=COUNTER[1], count=1)
    story.ends()


@breaks("increments_are_each_counted_once")
def half_a_transaction(story: Story) -> None:
    story.calls(4.0, "z-2", "unknown", None)
    story.logs(65, COUNTER, "update", count=2)
    story.ends()


@breaks("increments_are_each_counted_once")
def a_caller_that_was_told_another_count(story: Story) -> None:
    story.forget(Called)
    story.calls(4.0, "z-1", "applied", 7)


@breaks("increments_are_each_counted_once")
def a_bump_that_nobody_called_for(story: Story) -> None:
    story.forget(Called)


@breaks("pulls_bring_exactly_what_is_visible")
def a_pull_without_an_event(story: Story) -> None:
    story.pulls("a", 0, 40)
    story.forget(Pulled, client="a", last_seq=40)
    events = [event for event in story.events("a") if event.seq in (10, 20, 40)]
    story.records.append(Pulled(at=0.0, client="a", life=1, since=0, last_seq=40, events=events))


@breaks("pulls_bring_exactly_what_is_visible")
def a_pull_that_does_not_tell_of_a_row_given_away(story: Story) -> None:
    events = [event for event in story.events("a") if 40 < event.seq <= 60 and event.kind != "delete"]
    story.records.append(Pulled(at=0.0, client="a", life=1, since=40, last_seq=60, events=events))


@breaks("sockets_bring_everything_visible_in_order")
def a_socket_with_a_gap(story: Story) -> None:
    story.hears("b", 40, 60, socket=3)


@breaks("sockets_bring_everything_visible_in_order")
def a_socket_that_repeats_itself(story: Story) -> None:
    story.hears("b", 40, 50, 50, socket=3)


@breaks("sockets_bring_everything_visible_in_order")
def a_socket_that_goes_back(story: Story) -> None:
    story.hears("b", 50, 40, socket=3)


@breaks("cursors_do_not_go_back")
def a_cursor_that_goes_back(story: Story) -> None:
    story.views(9.5, "b", 61)


@breaks("every_view_is_the_log_at_its_cursor")
def a_register_older_than_the_cursor(story: Story) -> None:
    rows = {REGISTER: "made-0", COUNTER: "count=1", BUMP: "z-1", ENTRY: "a-3"}
    story.views(9.5, "b", 90, rows=rows)


@breaks("every_view_is_the_log_at_its_cursor")
def a_row_that_stays_after_it_was_given_away(story: Story) -> None:
    rows = {REGISTER: "b-1", COUNTER: "count=1", BUMP: "z-1", DOC: "a-1"}
    story.views(3.7, "a", 61, rows=rows)


@breaks("every_view_is_the_log_at_its_cursor")
def a_restarted_client_behind_its_cursor(story: Story) -> None:
    rows = {REGISTER: "made-0", COUNTER: "count=0"}
    story.views(9.5, "b", 61, life=2, rows=rows)


@breaks("own_writes_are_shown_at_once")
def an_own_insert_that_is_not_shown(story: Story) -> None:
    story.writes(8.0, "a-5", "insert", ("Entry", "e2"), "unknown")
    story.views(8.5, "a", 90)


@breaks("own_writes_are_shown_at_once")
def an_own_update_that_flashes_back(story: Story) -> None:
    story.views(7.7, "a", 80)


@breaks("own_writes_are_shown_at_once")
def a_saved_write_that_a_restart_lost(story: Story) -> None:
    story.writes(8.0, "a-5", "update", REGISTER, "unknown")
    story.views(8.5, "a", 90, life=2)


@breaks("only_an_absent_database_refuses_requests")
def a_cursor_that_is_not_known_any_more(story: Story) -> None:
    story.records.append(Refused(at=1.0, client="a", path="/api/sync/pull", status=410, code="RESYNC_REQUIRED"))


@breaks("every_saved_write_was_settled")
def a_saved_write_that_was_never_sent(story: Story) -> None:
    story.writes(8.0, "a-5", "update", REGISTER, "unknown")


@breaks("every_saved_write_was_settled")
def a_queue_that_does_not_drain(story: Story) -> None:
    story.final.replicas["a"].pending = 1


@breaks("the_database_is_what_the_log_says")
def a_row_without_an_entry(story: Story) -> None:
    story.final.rows[REGISTER] = {"id": "r", "tag": "b-1"}


@breaks("the_database_is_what_the_log_says")
def two_entries_with_one_seq(story: Story) -> None:
    story.logs(61, ("Counter", "c2"), "insert", count=0)
    story.ends()


def another_register(rows: dict[Key, Row]) -> dict[Key, Row]:
    return {**rows, REGISTER: {"id": "r", "tag": "b-1"}}


@breaks("everybody_has_what_they_may_read")
def a_server_that_answers_otherwise(story: Story) -> None:
    story.final.pulls["1", "bob"] = another_register(story.final.pulls["1", "bob"])


@breaks("everybody_has_what_they_may_read")
def a_client_that_did_not_converge(story: Story) -> None:
    story.final.replicas["b"].rows = another_register(story.final.replicas["b"].rows)


@breaks("everybody_has_what_they_may_read")
def a_screen_that_did_not_converge(story: Story) -> None:
    story.final.replicas["b"].overlaid = {REGISTER: "b-1"}


@breaks("nobody_sees_what_is_not_theirs")
def an_event_of_somebody_else(story: Story) -> None:
    row = {"id": "d", "tag": "a-1", "owner": "ann"}
    story.records.append(Heard(at=0.0, client="b", life=1, socket=4, event=Event(30, "Doc", "d", "insert", row)))


@pytest.mark.parametrize(
    ("rule", "change"), [(rule, change) for rule, _, change in BREAKS], ids=[n for _, n, _ in BREAKS]
)
def test_a_bad_history_is_caught_by_the_rule_for_it(rule: str, change: Break) -> None:
    story = a_good_story()

    change(story)

    assert rule in story.violated()


def test_every_rule_has_a_history_that_it_catches() -> None:
    assert {rule for rule, _, _ in BREAKS} == {rule.__name__ for rule in RULES}


def an_unknown_write_that_was_made(story: Story) -> None:
    story.records.append(
        Invoked(
            at=8.0,
            client="b",
            life=1,
            tag="b-9",
            kind="update",
            entity="Register",
            row_id="r",
            data={"tag": "b-9"},
        )
    )
    story.logs(95, REGISTER, "update", tag="b-9")
    story.ends()


def an_unknown_call_that_was_not_made(story: Story) -> None:
    story.calls(8.0, "z-2", "unknown", None)


def a_refused_write_that_left_no_trace(story: Story) -> None:
    story.writes(8.0, "b-9", "update", DOC, "failed")


def an_answer_that_came_twice(story: Story) -> None:
    story.records.append(
        Settled(at=9.0, client="a", op_id="op-a-3", tag="a-3", outcome="applied", row_id=ENTRY[1])
    )


def a_restarted_client_ahead_of_its_cursor(story: Story) -> None:
    story.views(9.5, "b", 40, life=2, rows={REGISTER: "a-4", COUNTER: "count=0", ENTRY: "a-3"})


def an_own_write_over_what_the_server_says(story: Story) -> None:
    story.views(7.7, "a", 80, overlaid={REGISTER: "a-4"})


def an_own_insert_under_two_ids_until_it_is_answered(story: Story) -> None:
    story.views(9.5, "a", 90, overlaid={("Entry", "~a-3"): "a-3"})


def an_own_write_that_somebody_overwrote(story: Story) -> None:
    story.views(9.5, "b", 90)


@pytest.mark.parametrize(
    "change",
    [
        an_unknown_write_that_was_made,
        an_unknown_call_that_was_not_made,
        a_refused_write_that_left_no_trace,
        an_answer_that_came_twice,
        a_restarted_client_ahead_of_its_cursor,
        an_own_write_over_what_the_server_says,
        an_own_insert_under_two_ids_until_it_is_answered,
        an_own_write_that_somebody_overwrote,
    ],
)
def test_what_may_happen_breaks_no_rule(change: Break) -> None:
    story = a_good_story()

    change(story)

    assert story.violated() == set()
