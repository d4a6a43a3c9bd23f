"""The settings of functions: what they see, how often they are called."""

import pytest

from pylon_runtime.function_config import FunctionConfig
from pylon_runtime.settings import ConfigError


def test_what_is_not_said_depends_on_the_mode() -> None:
    assert FunctionConfig.from_env({}, dev_mode=False) == FunctionConfig(None, 30, 60.0)
    assert FunctionConfig.from_env({}, dev_mode=True) == FunctionConfig(None, 100_000, 60.0)


def test_what_is_said_counts_in_every_mode() -> None:
    environ = {
        "PYLON_FN_ENV": " STRIPE_*, SITE_URL ,,",
        "PYLON_FN_RATE_LIMIT_MAX": "5",
        "PYLON_FN_RATE_LIMIT_WINDOW": "0.5",
    }
    for dev_mode in (False, True):
        said = FunctionConfig.from_env(environ, dev_mode=dev_mode)
        assert said == FunctionConfig(("STRIPE_*", "SITE_URL"), 5, 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYLON_FN_ENV", "A;B"),
        ("PYLON_FN_ENV", "*"),
        ("PYLON_FN_ENV", "A*B"),
        ("PYLON_FN_ENV", "A=1"),
        ("PYLON_FN_RATE_LIMIT_MAX", "0"),
        ("PYLON_FN_RATE_LIMIT_MAX", "many"),
        ("PYLON_FN_RATE_LIMIT_WINDOW", "0"),
        ("PYLON_FN_RATE_LIMIT_WINDOW", "-1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        FunctionConfig.from_env({name: value}, dev_mode=False)

    assert name in refused.value.message
