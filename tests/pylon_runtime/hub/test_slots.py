"""Slots are counted per holder, and the count forgets holders without any."""

import pytest

from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_runtime.hub.slots import Slots


def test_a_holder_has_so_many_slots_and_gets_them_back() -> None:
    slots = Slots(per_holder_max=2, holders="address")

    with slots.claim("a"), slots.claim("a"), slots.claim("b"):
        with pytest.raises(PylonError) as refused, slots.claim("a"):
            pass
        with slots.claim("b"):
            pass
    with slots.claim("a"), slots.claim("a"):
        pass
    answer = Response.error(refused.value)
    assert (refused.value.code, answer.status, dict(answer.headers)) == ("RATE_LIMITED", 429, {"Retry-After": "5"})


def test_holders_that_left_take_no_memory() -> None:
    slots = Slots(per_holder_max=1, holders="address")

    for number in range(100):
        with slots.claim(f"10.0.0.{number}"), pytest.raises(PylonError), slots.claim(f"10.0.0.{number}"):
            pass

    assert not slots._taken
