"""Judges a history: does what clients were told and saw fit one order of writes, the one in the server's log?

Each rule is a function that yields what breaks it; ``check`` runs them all, those for texts, live queries and
streams included. Pure: histories made by hand show in ``test_*.py`` that each rule catches what it is for.

What is promised, and so checked, is stronger than eventual convergence. Every view of every replica is the log up
to its cursor as its user may see it; every pull and every socket brings exactly the events in between; whoever was
told that a write is done finds it in the log, once, before everything begun after that.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tests.history.evidence import Evidence, Rule
from tests.history.history import (
    ON_A_SOCKET,
    Event,
    FinalState,
    Heard,
    History,
    Invoked,
    Key,
    LogEntry,
    Pulled,
    Refused,
    Row,
    Viewed,
    tag_of,
)
from tests.history.live_rules import LIVE_RULES
from tests.history.model import Versions, may_read, readable, rows_after
from tests.history.stream_rules import STREAM_RULES
from tests.history.text_rules import TEXT_RULES

ALLOWED_REFUSALS = {(503, "NOT_AVAILABLE"), (500, "COMMIT_FAILED"), (ON_A_SOCKET, "NOT_AVAILABLE")}
"""The database is away, and: it went away at COMMIT, so nobody knows. The client repeats either."""
MADE_BEFORE = "made-"
"""How the tags of rows begin that were there from the start."""


@dataclass(frozen=True)
class Violation:
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def an_acknowledged_write_is_in_the_log(known: Evidence) -> Iterator[str]:
    for tag, record in known.applied():
        entry = known.entry_of(tag)
        if entry is None:
            yield f"{tag} was acknowledged to {record.client} and is not there"
        elif entry.row_id != record.row_id:
            yield f"{tag} was acknowledged as {record.row_id} and is {entry.row_id}"
    for tag, call in known.calls.items():
        if call.outcome == "applied" and tag not in known.entries:
            yield f"{tag} was acknowledged to {call.client} and is not there"


def a_refused_write_left_no_trace(known: Evidence) -> Iterator[str]:
    for tag, record in known.settled.items():
        if record.outcome == "failed" and tag in known.entries:
            yield f"{tag} was refused to {record.client} and is in the log"
    for tag, call in known.calls.items():
        if call.outcome == "failed" and tag in known.entries:
            yield f"{tag} was refused to {call.client} and is in the log"


def nothing_is_there_that_nobody_wrote(known: Evidence) -> Iterator[str]:
    deletable = {
        known.key_of(record.entity, record.row_id or "")
        for record in known.invoked.values()
        if record.kind == "delete"
    }
    for entry in known.log:
        if entry.row is None:
            if entry.key not in deletable:
                yield f"nobody deleted {entry.key}"
        elif "tag" in entry.row:
            yield from _not_as_written(known, entry, tag_of(entry.row))


def _not_as_written(known: Evidence, entry: LogEntry, tag: str) -> Iterator[str]:
    assert entry.row is not None
    if tag in known.calls or tag.startswith(MADE_BEFORE):
        return
    invoked = known.invoked.get(tag)
    if invoked is None:
        yield f"nobody wrote {tag}"
        return
    asked = (invoked.kind, invoked.entity)
    if asked != (entry.kind, entry.entity) or not invoked.data.items() <= entry.row.items():
        yield f"{tag} is in the log as {entry}, asked for was {invoked}"
    elif invoked.row_id is not None and known.key_of(invoked.entity, invoked.row_id) != entry.key:
        yield f"{tag} was for {invoked.row_id} and is on {entry.row_id}"


def no_write_was_applied_twice(known: Evidence) -> Iterator[str]:
    tags = Counter(tag_of(entry.row) for entry in known.log if entry.row is not None and "tag" in entry.row)
    yield from (f"{tag} is {count} times in the log" for tag, count in tags.items() if count > 1)
    deletes = Counter(entry.key for entry in known.log if entry.row is None)
    yield from (f"{key} was deleted {count} times" for key, count in deletes.items() if count > 1)
    deleted_by: dict[Key, str] = {}
    for tag, _ in known.applied():
        invoked = known.invoked[tag]
        if invoked.kind == "delete":
            key = known.key_of(invoked.entity, invoked.row_id or "")
            if key in deleted_by:
                yield f"{deleted_by[key]} and {tag} were both told to have deleted {key}"
            deleted_by[key] = tag


def what_was_done_is_before_what_was_begun_later(known: Evidence) -> Iterator[str]:
    """Real time: an acknowledged write comes before every write that was invoked after the acknowledgement."""
    intervals = [
        (entry.seq, known.invoked[tag].at, record.at, tag)
        for tag, record in known.applied()
        if tag in known.invoked and (entry := known.entry_of(tag)) is not None
    ]
    intervals += [
        (known.entries[tag].seq, call.at, call.answered_at, tag)
        for tag, call in known.calls.items()
        if call.outcome == "applied" and tag in known.entries
    ]
    intervals += [
        (known.marks[tag], known.typed[tag].at, accepted_at, tag)
        for tag, accepted_at in known.accepted_at.items()
        if tag in known.marks and tag in known.typed
    ]
    latest_begun, latest = 0.0, ""
    for _, begun, done, tag in sorted(intervals):
        if done < latest_begun:
            yield f"{tag} was acknowledged before {latest} was begun, and is behind it in the log"
        if begun > latest_begun:
            latest_begun, latest = begun, tag


def writes_of_one_client_keep_their_order(known: Evidence) -> Iterator[str]:
    latest: dict[str, tuple[int, str]] = {}
    for tag, invoked in known.invoked.items():
        entry = known.entry_of(tag)
        if tag not in known.queued or entry is None or not _is_done(known, tag):
            continue
        seq, before = latest.get(invoked.client, (0, ""))
        if entry.seq < seq:
            yield f"{invoked.client} queued {tag} after {before}, and it is in the log before it"
        latest[invoked.client] = max((seq, before), (entry.seq, tag))


def _is_done(known: Evidence, tag: str) -> bool:
    return tag in known.settled and known.settled[tag].outcome == "applied"


def increments_are_each_counted_once(known: Evidence) -> Iterator[str]:
    """A mutation is a transaction: the counter, the bumps, and what callers were told agree."""
    bumps: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for tag, entry in known.entries.items():
        if entry.entity == "Bump" and entry.row is not None:
            bumps[entry.row["counter"]].append((entry.row["count"], tag))
    for (entity, row_id), row in known.final.rows.items():
        if entity == "Counter":
            counts = [count for count, _ in bumps[row_id]]
            if counts != list(range(1, row["count"] + 1)):
                yield f"counter {row_id} is {row['count']}, its bumps count {counts}"
    for counts_and_tags in bumps.values():
        for count, tag in counts_and_tags:
            call = known.calls.get(tag)
            if call is None:
                yield f"nobody called {tag}"
            elif call.outcome == "applied" and call.count != count:
                yield f"{tag} was told {call.count} and counted as {count}"


def pulls_bring_exactly_what_is_visible(known: Evidence) -> Iterator[str]:
    for record in known.history.of(Pulled):
        expected = _between(known.events[record.client], record.since, record.last_seq)
        if record.events != expected:
            yield (
                f"{record.client} pulled {record.since}..{record.last_seq}: {_difference(record.events, expected)}"
            )


def sockets_bring_everything_visible_in_order(known: Evidence) -> Iterator[str]:
    heard: dict[tuple[str, int, int], list[Event]] = defaultdict(list)
    for record in known.history.of(Heard):
        heard[record.client, record.life, record.socket].append(record.event)
    for (client, life, socket), events in heard.items():
        seqs = [event.seq for event in events]
        if any(later <= earlier for earlier, later in pairwise(seqs)):
            yield f"socket {socket} of {client} (life {life}): seqs do not increase"
            continue
        expected = _between(known.events[client], seqs[0] - 1, seqs[-1])
        if events != expected:
            yield f"socket {socket} of {client} (life {life}): {_difference(events, expected)}"


def _between(events: list[Event], since: int, last: int) -> list[Event]:
    return [event for event in events if since < event.seq <= last]


def _difference(got: Iterable[Event], expected: Iterable[Event]) -> str:
    got, expected = list(got), list(expected)
    missing = [event for event in expected if event not in got]
    extra = [event for event in got if event not in expected]
    return f"missing {missing[:3]}, not expected {extra[:3]}"


def cursors_do_not_go_back(known: Evidence) -> Iterator[str]:
    """While a client lives; a killed one may come back a little behind what it had shown."""
    reached: dict[tuple[str, int], int] = {}
    for record in sorted(known.history.of(Viewed), key=lambda record: record.at):
        life = record.client, record.life
        if record.cursor < reached.get(life, 0):
            yield f"{record.client} was at {reached[life]} and then at {record.cursor}"
        reached[life] = record.cursor


def every_view_is_the_log_at_its_cursor(known: Evidence) -> Iterator[str]:
    """So reads are monotonic: a view at a later cursor shows no older version of any row.

    A client that saves rows before the cursor may come back with rows ahead of it; until its cursor has passed
    all that earlier lives had received, its rows may be newer than the cursor says, but never older.
    """
    received = _received_in_earlier_lives(known)
    by_client: dict[str, list[Viewed]] = defaultdict(list)
    for record in known.history.of(Viewed):
        by_client[record.client].append(record)
    for client, views in by_client.items():
        versions = Versions(known.events[client])
        for view in sorted(views, key=lambda view: view.cursor):
            expected = versions.at(view.cursor)
            if view.rows == expected:
                continue
            ahead = received[client, view.life]
            late = [event for event in known.events[client] if view.cursor < event.seq <= ahead]
            newer = {(event.key, tag_of(event.data) if event.data else None) for event in late}
            wrong = {
                key: (view.rows.get(key), expected.get(key))
                for key in view.rows.keys() | expected.keys()
                if view.rows.get(key) != expected.get(key) and (key, view.rows.get(key)) not in newer
            }
            if wrong:
                some = dict(list(wrong.items())[:5])
                yield f"{client} (life {view.life}) at {view.cursor}; what it holds and should hold: {some}"


def _received_in_earlier_lives(known: Evidence) -> dict[tuple[str, int], int]:
    newest: dict[tuple[str, int], int] = defaultdict(int)
    for pulled in known.history.of(Pulled):
        life = pulled.client, pulled.life
        newest[life] = max(newest[life], pulled.last_seq)
    for heard in known.history.of(Heard):
        life = heard.client, heard.life
        newest[life] = max(newest[life], heard.event.seq)
    lives = {(view.client, view.life) for view in known.history.of(Viewed)}
    return {
        (client, life): max((newest[client, before] for before in range(life)), default=0)
        for client, life in lives
    }


def own_writes_are_shown_at_once(known: Evidence) -> Iterator[str]:
    """From when the client said that it has a write until somebody overwrites it: through its being sent, answered
    and replicated, and, while it is not answered, through the client's death."""
    writes: dict[str, list[Invoked]] = defaultdict(list)
    for tag, invoked in known.invoked.items():
        refused = tag in known.settled and known.settled[tag].outcome == "failed"
        if tag in known.queued and invoked.kind != "delete" and not refused:
            writes[invoked.client].append(invoked)
    for view in known.history.of(Viewed):
        latest: dict[Key, Invoked] = {}
        for invoked in writes[view.client]:
            if known.queued[invoked.tag].at < view.asked_at and _must_be_shown(known, view, invoked):
                latest[known.key_of(invoked.entity, known.queued[invoked.tag].row_id)] = invoked
        # While a client does not know under which id the server made its row, it may show it under both.
        here: dict[Key, list[str]] = defaultdict(list)
        for key, tag in view.shown.items():
            here[known.key_of(*key)].append(tag)
        for key, invoked in latest.items():
            if not any(_is_no_older(known, tag, invoked) for tag in here[key]) and (here[key] or key[0] != "Doc"):
                # Documents are deleted and given away; entries and registers stay.
                yield f"{view.client} at {view.cursor} shows {here[key]} where it wrote {invoked.tag}"


def _must_be_shown(known: Evidence, view: Viewed, invoked: Invoked) -> bool:
    """In the life in which it was written; later as long as the client still has to send it."""
    settled = known.settled.get(invoked.tag)
    return invoked.life == view.life or settled is None or settled.at > view.at


def _is_no_older(known: Evidence, tag: str, mine: Invoked) -> bool:
    """Whether that version of the row is the client's own write, a later own one, or one of others after it."""
    later = known.invoked.get(tag)
    if tag == mine.tag or (later is not None and later.client == mine.client and later.at > mine.at):
        return True
    my_entry, its_entry = known.entries.get(mine.tag), known.entries.get(tag)
    return my_entry is not None and its_entry is not None and its_entry.seq > my_entry.seq


def only_an_absent_database_refuses_requests(known: Evidence) -> Iterator[str]:
    for record in known.history.of(Refused):
        if (record.status, record.code) not in ALLOWED_REFUSALS:
            yield f"{record.client} got {record.status} {record.code} for {record.path}"


def every_saved_write_was_settled(known: Evidence) -> Iterator[str]:
    for name, replica in known.final.replicas.items():
        if replica.pending:
            yield f"{name} has still {replica.pending} writes to send"
    for tag, record in known.queued.items():
        if tag not in known.settled:
            yield f"{record.client} saved {tag} and never got to know what became of it"


def the_database_is_what_the_log_says(known: Evidence) -> Iterator[str]:
    seqs = [entry.seq for entry in known.log]
    if seqs != sorted(set(seqs)):
        yield "seqs are not in order"
    if rows_after(known.log) != known.final.rows:
        yield _rows_differ("the database", known.final.rows, rows_after(known.log))


def everybody_has_what_they_may_read(known: Evidence) -> Iterator[str]:
    rows = known.final.rows
    for (server, user), pulled in known.final.pulls.items():
        if pulled != readable(user, rows):
            yield _rows_differ(f"a fresh pull of {user} from {server}", pulled, readable(user, rows))
    for client, replica in known.final.replicas.items():
        expected = readable(known.history.viewers[client], rows)
        if replica.rows != expected:
            yield _rows_differ(client, replica.rows, expected)
        if replica.overlaid:
            yield f"{client} still shows {replica.overlaid} over what the server told it"


def nobody_sees_what_is_not_theirs(known: Evidence) -> Iterator[str]:
    shown = [(pulled.client, event) for pulled in known.history.of(Pulled) for event in pulled.events]
    shown += [(heard.client, heard.event) for heard in known.history.of(Heard)]
    for client, event in shown:
        if event.data is not None and not may_read(known.history.viewers[client], event.key, event.data):
            yield f"{client} was shown {event}"


def _rows_differ(who: str, got: Mapping[Key, Row], expected: Mapping[Key, Row]) -> str:
    different = [key for key in got.keys() | expected.keys() if got.get(key) != expected.get(key)]
    examples = [(key, got.get(key), expected.get(key)) for key in different[:3]]
    return f"{who} differs in {len(different)} rows; (key, got, expected): {examples}"


RULES: tuple[Rule, ...] = (
    an_acknowledged_write_is_in_the_log,
    a_refused_write_left_no_trace,
    nothing_is_there_that_nobody_wrote,
    no_write_was_applied_twice,
    what_was_done_is_before_what_was_begun_later,
    writes_of_one_client_keep_their_order,
    increments_are_each_counted_once,
    pulls_bring_exactly_what_is_visible,
    sockets_bring_everything_visible_in_order,
    cursors_do_not_go_back,
    every_view_is_the_log_at_its_cursor,
    own_writes_are_shown_at_once,
    only_an_absent_database_refuses_requests,
    every_saved_write_was_settled,
    the_database_is_what_the_log_says,
    everybody_has_what_they_may_read,
    nobody_sees_what_is_not_theirs,
)


def check(history: History, final: FinalState) -> list[Violation]:
    known = Evidence(history, final)
    rules = (*RULES, *TEXT_RULES, *LIVE_RULES, *STREAM_RULES)
    return [Violation(rule.__name__, what) for rule in rules for what in rule(known)]
