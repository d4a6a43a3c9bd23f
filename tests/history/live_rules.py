"""What must hold of the lists of live queries. Pure.

A list is at every moment the answer of some state of the log, which is no older than the list says and than
what the same socket showed before; in the end it is what the query answers now.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.history.evidence import Evidence, Rule
from tests.history.history import Key, LogEntry, Row, Watched, tag_of
from tests.history.queries import QUERIES, Query

Shown = tuple[list[tuple[str, str]], bool]
"""The versions of the rows, and whether that is all."""
_BY_NAME = {query.name: query for query in QUERIES}


def every_list_is_the_answer_of_some_state_and_none_older_than_before(known: Evidence) -> Iterator[str]:
    told: dict[tuple[str, int, str], list[Watched]] = defaultdict(list)
    for record in known.history.of(Watched):
        told[record.client, record.socket, record.query].append(record)
    states: dict[tuple[str, str], list[tuple[int, Shown]]] = {}
    for (client, socket, name), records in told.items():
        user = known.history.viewers[client]
        if (user, name) not in states:
            states[user, name] = _states(_BY_NAME[name], user, known.log)
        wrong = _first_that_is_none_of(states[user, name], records)
        if wrong is not None:
            yield f"{client} (socket {socket}), {name}: at {wrong.seq} it showed {wrong.rows}, {wrong.complete}"


def lists_end_as_what_queries_answer(known: Evidence) -> Iterator[str]:
    final = known.final
    for (server, user, name), answer in final.answers.items():
        if answer != _BY_NAME[name].answer(user, final.rows)[0]:
            yield f"{server} answers {user} {answer} to {name}"
    for (watcher, name), rows in final.lists.items():
        expected, _ = _BY_NAME[name].answer(known.history.viewers[watcher], final.rows)
        if rows != expected:
            yield f"{watcher} shows {rows} for {name}, and the answer is {expected}"


def every_list_is_there_in_the_end(known: Evidence) -> Iterator[str]:
    for watcher in {watcher for watcher, _ in known.final.lists}:
        for name in _BY_NAME:
            if (watcher, name) not in known.final.lists:
                yield f"{watcher} was never told of {name}"


def _states(query: Query, user: str, log: Sequence[LogEntry]) -> list[tuple[int, Shown]]:
    """The answers there were, each with the seq from which on it was the answer."""
    rows: dict[Key, Row] = {}
    found: list[tuple[int, Shown]] = [(0, ([], True))]
    for entry in log:
        if entry.entity != query.entity:
            continue
        if entry.row is None:
            rows.pop(entry.key, None)
        else:
            rows[entry.key] = entry.row
        answer, is_all = query.answer(user, rows)
        shown = [(str(row["id"]), tag_of(row)) for row in answer], is_all
        if shown != found[-1][1]:
            found.append((entry.seq, shown))
    return found


def _first_that_is_none_of(states: Sequence[tuple[int, Shown]], records: Sequence[Watched]) -> Watched | None:
    """The first record that is no answer at or behind that of the one before it. Taking the earliest that fits
    leaves most to choose from for those that follow."""
    place = 0
    for record in records:
        # A state lasts until the next one begins.
        while place + 1 < len(states) and states[place + 1][0] <= record.seq:
            place += 1
        shown = record.rows, record.complete
        while place < len(states) and states[place][1] != shown:
            place += 1
        if place == len(states):
            return record
    return None


LIVE_RULES: tuple[Rule, ...] = (
    every_list_is_the_answer_of_some_state_and_none_older_than_before,
    lists_end_as_what_queries_answer,
    every_list_is_there_in_the_end,
)
