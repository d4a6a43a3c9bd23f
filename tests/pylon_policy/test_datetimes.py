"""Datetime fields in rules: compared as instants, and with nothing else."""

from typing import Any

import pytest

from pylon_auth.context import ANONYMOUS, AuthContext
from pylon_core.diagnostics import Severity
from pylon_core.errors import PylonError
from pylon_core.manifest import AppManifest
from pylon_policy import PolicyEngine

NOON = "2026-05-02T12:00:00Z"
ALICE = AuthContext("alice")
NAMED_NOON = AuthContext(NOON)


def engine(rule: str, member: str = "allowRead") -> PolicyEngine:
    kinds = {"at": "datetime", "until": "datetime", "title": "string", "n": "int", "done": "bool"}
    fields = [{"name": name, "type": kind, "optional": True, "unique": False} for name, kind in kinds.items()]
    closed = {name: "false" for name in ("allow", "allowRead") if name != member}
    document = {
        "manifest_version": 1,
        "name": "test",
        "version": "1",
        "entities": [{"name": "Event", "fields": fields, "indexes": []}],
        "routes": [],
        "policies": [{"name": "rule", "entity": "Event", **closed, member: rule}],
    }
    return PolicyEngine(AppManifest.model_validate(document), default_allow=False)


def reads(rule: str, auth: AuthContext = ANONYMOUS, /, **row: Any) -> bool:
    return engine(rule).may_read("Event", auth, {"at": None, "until": None, "title": None, **row})


@pytest.mark.parametrize(
    "literal",
    [NOON, "2026-05-02T14:00:00+02:00", "2026-05-02t12:00:00.000z", "2026-05-02T12:00:00.000000-00:00"],
)
def test_a_literal_may_be_written_with_any_offset(literal: str) -> None:
    assert reads(f"data.at == '{literal}'", at=NOON)
    assert reads(f"data.at in ['{literal}']", at=NOON)
    assert not reads(f"data.at != '{literal}'", at=NOON)
    assert not reads(f"data.at < '{literal}'", at=NOON)
    assert reads(f"'{literal}' <= data.at", at=NOON)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (NOON, "2026-05-02T12:00:00.250Z"),
        ("2026-05-02T12:00:00.250Z", "2026-05-02T12:00:00.250001Z"),
        ("2026-05-02T12:00:00.249999Z", "2026-05-02T12:00:00.250Z"),
        ("2026-05-02T11:59:59.999999Z", NOON),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_order_is_that_of_the_instants_and_not_of_their_spelling(earlier: str, later: str) -> None:
    assert reads("data.at < data.until", at=earlier, until=later)
    assert reads(f"data.at < '{later}'", at=earlier)
    assert reads(f"data.at >= '{earlier}'", at=later)
    assert not reads("data.at >= data.until", at=earlier, until=later)


@pytest.mark.parametrize(
    "other",
    ["data.title", "data.n", "data.done", "auth.userId", "auth.isGuest"],
)
@pytest.mark.parametrize("sign", ["==", "!=", "<", ">="])
def test_with_what_is_no_datetime_a_comparison_is_unknown(other: str, sign: str) -> None:
    for rule in (f"data.at {sign} {other}", f"{other} {sign} data.at"):
        for whole in (rule, f"!({rule})"):
            assert not reads(whole, NAMED_NOON, at=NOON, title=NOON, n=1, done=True)
            assert engine(whole).never_reads("Event", NAMED_NOON)


def test_two_missing_datetimes_do_not_match_and_a_missing_one_is_in_no_order() -> None:
    for rule in ("data.at == data.until", "data.at != data.until", "data.at < data.until", f"data.at < '{NOON}'"):
        assert not reads(rule)
        assert not reads(f"!({rule})")
    assert reads("data.at != data.until", at=NOON)
    assert reads("data.at == null")
    assert reads("data.at", at=NOON)


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("data.at == 'tomorrow'", 1),
        ("data.at == '2026-05-02'", 1),
        ("data.at != ''", 1),
        ("true && 5 < data.at", 13),
        ("data.at == true", 1),
        (f"data.at in ['{NOON}', '2026-05-02T12:00:00']", 1),
        ("data.title == 'x' || data.at >= 'x'", 22),
    ],
)
def test_a_literal_that_is_no_instant_is_an_error_at_load_and_denies(rule: str, column: int) -> None:
    policies = engine(rule)

    (found,) = policies.diagnostics
    assert (found.severity, found.code) == (Severity.ERROR, "POLICY_SYNTAX_ERROR")
    assert f"line 1, column {column}: data.at is a datetime and " in found.message
    assert policies.never_reads("Event", ALICE)


def test_a_payloads_value_is_read_as_an_instant_beside_one() -> None:
    policies = engine("input.at > existing.at", "allowUpdate")
    before, after = {"at": NOON}, {"at": "2026-05-02T13:00:00Z"}

    policies.check_update("Event", ALICE, before, after, {"at": "2026-05-02T15:00:00+02:00"})

    for value in ("2026-05-02T12:30:00+02:00", "no instant", 5, None, ["2026-05-02T15:00:00Z"]):
        with pytest.raises(PylonError, match="POLICY_DENIED"):
            policies.check_update("Event", ALICE, before, after, {"at": value})


def test_the_condition_binds_what_both_engines_read() -> None:
    condition = engine(f"data.at <= '{NOON}' && data.until != null").read_condition("Event", ALICE)

    assert condition is not None
    assert condition.sql == '"at" <= ? AND "until" IS NOT NULL'
    assert condition.params == ("2026-05-02T12:00:00.000000Z",)
