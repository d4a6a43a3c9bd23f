"""Origins: what is one, which pages may write and open sockets (contract 01 §1.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_runtime.origins import OriginRule, calling_origin, origin, origin_of_url

SITE = "https://app.example.com"
RULE = OriginRule.of([SITE])
DEV_RULE = OriginRule.of([SITE], local=True)


@pytest.mark.parametrize(
    "text", ["https://a.example", "http://localhost:5173", "http://[::1]:80", "capacitor://localhost"]
)
def test_an_origin_is_scheme_host_and_port(text: str) -> None:
    assert origin(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.example",
        "https://",
        "https://a.example/",
        "https://a.example?x",
        "https://a.example#x",
        "https://me@a.example",
        "https://A.example",
        "https://a.example:",
        "https://a.example:99999",
        "https://a.example:x",
        "https://[::1",
        "javascript:alert(1)",
        "//a.example",
    ],
)
def test_what_is_not_exactly_an_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        origin(text)


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ({}, None),
        ({"origin": SITE}, SITE),
        ({"origin": SITE, "referer": "https://other.example/"}, SITE),
        ({"referer": "https://other.example:8443/page?x=1"}, "https://other.example:8443"),
        ({"referer": "nonsense"}, "null"),
        ({"referer": ""}, "null"),
        ({"origin": "null"}, "null"),
    ],
)
def test_the_calling_page_is_the_origin_or_else_the_referer(headers: dict[str, str], caller: str | None) -> None:
    assert calling_origin(headers) == caller


@pytest.mark.parametrize(
    ("page", "host", "allowed"),
    [
        (None, "api.example.com", True),
        (SITE, "api.example.com", True),
        ("https://api.example.com", "api.example.com", True),
        ("https://api.example.com", "API.example.com:443", True),
        ("http://api.example.com:4321", "api.example.com:4321", True),
        ("http://[::1]:4321", "[::1]:4321", True),
        ("https://api.example.com", None, False),
        ("https://api.example.com:8443", "api.example.com", False),
        ("https://api.example.com.evil.example", "api.example.com", False),
        ("https://evil.example", "api.example.com", False),
        ("http://app.example.com", "api.example.com", False),
        ("https://app.example.com:444", "api.example.com", False),
        ("https://app.example.com/", "api.example.com", False),
        ("null", "api.example.com", False),
        ("", "", False),
        ("", "api.example.com", False),
        ("https://api.example.com@evil.example", "api.example.com", False),
        ("http://localhost:5173", "localhost:4321", False),
    ],
)
def test_a_page_passes_when_listed_or_delivered_by_this_server(
    page: str | None, host: str | None, allowed: bool
) -> None:
    assert RULE.allows(page, host) is allowed


@pytest.mark.parametrize(
    ("page", "allowed"),
    [
        ("http://localhost:5173", True),
        ("https://app.localhost", True),
        ("http://127.0.0.1:3000", True),
        ("http://[::1]:3000", True),
        ("http://127.1.2.3", True),
        (SITE, True),
        ("http://192.168.1.5:8081", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0:3000", False),
        ("capacitor://localhost", True),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example", False),
        ("http://8.8.8.8", False),
        ("null", False),
        ("file://", False),
        (None, True),
    ],
)
def test_in_development_pages_of_this_machine_pass_too(page: str | None, allowed: bool) -> None:
    assert DEV_RULE.allows(page, "localhost:4321") is allowed


@given(st.text() | st.from_regex(r"[a-z]{1,5}://[a-z@:\[\]./]{0,12}"), st.text(max_size=8) | st.none())
def test_no_text_breaks_the_rules_and_none_passes_by_accident(page: str, host: str | None) -> None:
    allowed = RULE.allows(page, host)

    assert allowed is (page == SITE or (host is not None and _authority(page) == host.lower()))
    assert calling_origin({"referer": page}) is not None


def _authority(page: str) -> str | None:
    found = origin_of_url(page)
    return None if found is None else found.partition("://")[2]
