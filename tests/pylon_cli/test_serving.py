"""The environment a command serves with, and the signals that end it."""

import os
import signal

import pytest

from pylon_cli.serving import environment, stop_signals


@pytest.mark.parametrize(("given", "seen"), [(None, "1"), ("", "1"), ("  ", "1"), ("0", "0"), ("true", "true")])
def test_a_commands_default_gives_way_to_what_is_set(
    given: str | None, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYLON_DEV_MODE", raising=False)
    if given is not None:
        monkeypatch.setenv("PYLON_DEV_MODE", given)

    assert environment(None, PYLON_DEV_MODE="1")["PYLON_DEV_MODE"] == seen


def test_the_port_on_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLON_PORT", "5000")

    assert environment(6000)["PYLON_PORT"] == "6000"
    assert environment(None)["PYLON_PORT"] == "5000"


KINDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("number", KINDS, ids=lambda number: number.name)
def test_the_first_signal_asks_and_makes_the_next_of_any_kind_deadly(number: signal.Signals) -> None:
    asked: list[bool] = []
    before = [signal.getsignal(each) for each in KINDS]

    with stop_signals(lambda: asked.append(True)):
        os.kill(os.getpid(), number)
        after_one = [signal.getsignal(each) for each in KINDS]

    assert asked == [True]
    assert after_one == [signal.SIG_DFL] * 3
    assert [signal.getsignal(each) for each in KINDS] == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As ``nohup`` asks for SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals(lambda: None):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
