"""The tables of the documents say what the code says: routes, settings, codes, log events."""

from collections import Counter

from pylon_router import ROUTES
from pylon_router.table import ANY_METHOD
from pylon_runtime.config import SETTINGS
from pylon_runtime.hub import STREAM_PATHS, SYNC_PATHS
from pylon_runtime.static_files import CLIENT_PATH
from tests.docs.markdown import DOCS, Document, code
from tests.docs.sources import LogEvent, codes, log_events

SECOND_SPELLING = ("/api/entity/", "/api/entities/")


def test_every_route_is_in_the_table_once_and_nothing_else() -> None:
    (table,) = (table for table in Document(DOCS / "http-api.md").tables("Method") if len(table[0]) == 5)

    listed = Counter((method, *code(path)) for method, path, *_ in table)

    served = {(route.method, route.pattern.replace(*SECOND_SPELLING)) for route in ROUTES}
    assert listed == Counter(pair for pair in served if pair[0] != ANY_METHOD)


def test_both_spellings_of_the_entity_routes_are_served() -> None:
    second, first = (
        {
            (route.method, route.pattern.removeprefix(prefix))
            for route in ROUTES
            if route.pattern.startswith(prefix)
        }
        for prefix in SECOND_SPELLING
    )

    assert second == first


def test_what_is_served_around_the_api_is_listed() -> None:
    _, table = Document(DOCS / "http-api.md").tables("Method")

    listed = {path for row in table for path in code(row[1])}
    assert listed == {"/health", CLIENT_PATH, *SYNC_PATHS, *STREAM_PATHS}


def test_the_errors_named_in_the_route_table_exist() -> None:
    table, _ = Document(DOCS / "http-api.md").tables("Method")

    assert {name for row in table for name in code(row[4])} <= codes().names


def test_every_setting_is_listed_in_order_with_its_default_and_meaning() -> None:
    table, _ = Document(DOCS / "configuration.md").tables("Variable")

    listed = [tuple(cell.replace("`", "") for cell in row) for row in table]

    assert listed == [(s.name, s.default, s.meaning.replace("`", "")) for s in SETTINGS]


def test_every_code_is_in_the_list_of_errors_and_no_other() -> None:
    document = Document(DOCS / "errors.md")
    listed = {name for table in document.tables("Code") for row in table for name in code(row[0])}
    results = {name for name in code(document.section("Starting")) if name.endswith(("_OK", "_ERROR"))}

    assert listed | results == codes().names


def test_the_statuses_of_errors_are_those_they_are_raised_with() -> None:
    listed = {
        name: {int(status) for status in row[1].split(",")}
        for table in Document(DOCS / "errors.md").tables("Code")
        for row in table
        if len(row) == 3 and row[1][0].isdigit()
        for name in code(row[0])
    }

    raised = codes().statuses
    assert {name: raised[name] - statuses for name, statuses in listed.items() if raised[name] - statuses} == {}


def test_the_severities_of_findings_are_those_they_are_reported_with() -> None:
    (table,) = (t for t in Document(DOCS / "errors.md").tables("Code") if t[0][1] in ("error", "warning"))

    listed = {(name, severity) for names, severity, _ in table for name in code(names)}

    found = {(name, severity) for name, severities in codes().severities.items() for severity in severities}
    beside = {(name, severity) for name, severity in found if name.startswith(("MANIFEST_READ", "MANIFEST_PARSE"))}
    assert listed - {("POLICY_SYNTAX_ERROR", "error")} == found - beside


def test_every_log_event_is_listed_with_its_level_and_fields() -> None:
    (table,) = Document(DOCS / "logs.md").tables("Event")

    listed = {code(event)[0]: LogEvent(level, frozenset(code(fields))) for event, level, fields, _ in table}

    written = log_events()
    assert listed.keys() == written.keys()
    assert {name: event for name, event in listed.items() if not _is_richest(event, written[name])} == {}


def _is_richest(listed: LogEvent, written: set[LogEvent]) -> bool:
    """An event may be written in several places, in some of which less is known."""
    return listed in written and all(
        event.level == listed.level and event.fields <= listed.fields for event in written
    )
