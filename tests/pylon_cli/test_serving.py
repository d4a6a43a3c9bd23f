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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_makes_the_next_of_either_kind_deadly(number: signal.Signals) -> None:
    asked: list[bool] = []
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    with stop_signals(lambda: asked.append(True)):
        os.kill(os.getpid(), number)
        after_one = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    assert asked == [True]
    assert after_one == [signal.SIG_DFL, signal.SIG_DFL]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
