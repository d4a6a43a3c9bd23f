"""The session cookie: name, attribute order, and finding it again (contract 03 §4.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_auth import (
    CookieConfig,
    SameSite,
    clearing_cookie,
    default_cookie_name,
    read_cookie,
    session_cookie,
)

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
VALUES = st.text(st.characters(codec="ascii", exclude_characters=';," \\', min_codepoint=33), max_size=20)


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("my-app", "my-app_session"),
        ("Pylon Cloud", "Pylon_Cloud_session"),
        ("", "pylon_session"),
        ("café;x=1", "caf__x_1_session"),
    ],
)
def test_the_cookie_is_named_after_the_app(app: str, name: str) -> None:
    assert default_cookie_name(app) == name


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (CookieConfig("s"), "s=T; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=60"),
        (CookieConfig("s", secure=False), "s=T; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"),
        (
            CookieConfig("s", domain="example.com", same_site=SameSite.STRICT),
            "s=T; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Strict; Max-Age=60",
        ),
        (
            CookieConfig("s", secure=False, same_site=SameSite.NONE),
            "s=T; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=60",
        ),
    ],
    ids=["default", "development", "domain", "none forces secure"],
)
def test_attributes_come_in_the_published_order(config: CookieConfig, text: str) -> None:
    assert session_cookie(config, "T", 60) == text
    assert clearing_cookie(config) == text.replace("s=T", "s=").replace("Max-Age=60", "Max-Age=0")


def test_a_session_that_never_ends_has_a_cookie_that_stays() -> None:
    assert session_cookie(CookieConfig("s"), "T", 0).endswith("; Max-Age=34560000")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("s=1", "1"),
        ("a=0; s=1; s=2", "1"),
        ("xs=0; s=1", "1"),
        ("s=a=b==", "a=b=="),
        ("s=", ""),
        ("s", None),
        ("S=1", None),
        ("", None),
        (";;=;s", None),
        ("  s = 1 ;a=2", "1"),
    ],
)
def test_the_first_cookie_of_the_name_is_read(header: str, value: str | None) -> None:
    assert read_cookie(header, "s") == value


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), NAMES)
def test_every_cookie_a_browser_sends_is_found(cookies: list[tuple[str, str]], name: str) -> None:
    header = "; ".join(f"{key}={value}" for key, value in cookies)

    assert read_cookie(header, name) == next((value for key, value in cookies if key == name), None)


@given(st.text(), st.text(min_size=1))
def test_no_header_breaks_the_reader(header: str, name: str) -> None:
    assert isinstance(read_cookie(header, name), str | None)
