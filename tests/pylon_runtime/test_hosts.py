"""Which names a server answers to: what DNS rebinding cannot pretend."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_http import Request, Response
from pylon_runtime.hosts import HostRule, host_name

DEV = HostRule.of(["pylon.example", "fd00::1"], "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:4321", True),
        ("LocalHost", True),
        ("app.localhost:4321", True),
        ("127.0.0.1:4321", True),
        ("127.1.2.3", True),
        ("[::1]:4321", True),
        ("pylon.example", True),
        ("PYLON.example:8443", True),
        ("[fd00::1]", True),
        (None, True),
        ("", False),
        ("evil.example", False),
        ("evil.example:4321", False),
        ("localhost.evil.example", False),
        ("evil-localhost", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.5:4321", False),
        ("pylon.example.evil.example", False),
        ("localhost, evil.example", False),
        ("evil.example#localhost", False),
        ("evil.example/localhost", False),
        ("localhost@evil.example", False),
        ("localhost:4321:evil.example", False),
        ("[::1", False),
        ("::1", False),
    ],
)
def test_this_machine_and_the_listed_pass(host: str | None, allowed: bool) -> None:
    assert DEV.allows(host) is allowed


@pytest.mark.parametrize(
    ("bound", "host", "allowed"),
    [
        ("0.0.0.0", "192.168.1.5:4321", True),
        ("0.0.0.0", "0.0.0.0:4321", True),
        ("0.0.0.0", "[fd00::1]", True),
        ("0.0.0.0", "evil.example", False),
        ("::", "192.168.1.5", True),
        ("::", "evil.example", False),
        ("192.168.1.5", "192.168.1.5:4321", True),
        ("192.168.1.5", "192.168.1.6", False),
        ("fd00::1", "[fd00:0::1]:4321", True),
        ("My-Mac.local", "my-mac.local:4321", True),
        ("my-mac.local", "192.168.1.5", False),
    ],
)
def test_the_address_it_listens_on_passes(bound: str, host: str, allowed: bool) -> None:
    """An address in place of a name cannot be made to lead elsewhere."""
    assert HostRule.of([], bound).allows(host) is allowed


@given(st.text() | st.from_regex(r"[a-z.:\[\]@/#]{0,20}"))
def test_no_text_breaks_the_rule_and_an_open_one_takes_all(host: str) -> None:
    closed = HostRule.of([], "127.0.0.1")

    if closed.allows(host):
        assert "localhost" in host.lower() or host.startswith(("127.", "[")), host
    assert HostRule.of(["*"], "127.0.0.1").allows(host)


@pytest.mark.parametrize(
    "text", ["", "https://a.example", "a.example:80", "a.example/", "[::1", "a b", "*.example"]
)
def test_what_is_listed_is_a_name_or_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        host_name(text)


def test_a_request_for_another_host_is_refused_and_told_which_setting_helps() -> None:
    answer = DEV.before(lambda _request: Response.json({}))

    refused = answer(Request("GET", "/", {"host": "evil.example"}, b"", "127.0.0.1"))
    passed = answer(Request("GET", "/", {"host": "localhost"}, b"", "127.0.0.1"))

    assert isinstance(refused, Response)
    assert refused.status == 403
    assert b"PYLON_ALLOWED_HOSTS" in refused.body
    assert isinstance(passed, Response)
    assert passed.status == 200
