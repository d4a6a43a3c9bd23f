"""DATABASE_URL: who gets TLS, what is passed on, and that the password stays out of sight."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from pylon_http import DataError
from pylon_storage.postgres import url as urls

PLAIN = ["", "?sslmode=prefer", "?sslmode=disable", "?sslmode=allow"]
ENCRYPTED = [
    "?sslmode=require",
    "?sslmode=verify-ca",
    "?sslmode=verify-full",
    "?sslmode=",
    "?sslmode=strict",
    "?sslrootcert=system",
    "?sslmode=disable&sslrootcert=system",
]


@pytest.mark.parametrize("query", PLAIN)
def test_no_tls_unless_it_is_asked_for(query: str) -> None:
    parts = conninfo_to_dict(urls.conninfo(f"postgres://u@db.example/app{query}"))

    assert parts["sslmode"] == "disable"


@pytest.mark.parametrize("query", ENCRYPTED)
def test_whoever_asks_for_tls_gets_certificate_and_name_checked(query: str) -> None:
    parts = conninfo_to_dict(urls.conninfo(f"postgresql://u@db.example/app{query}"))

    assert parts["sslmode"] == "verify-full"
    assert Path(str(parts["sslrootcert"])).is_file()


def test_authorities_of_ones_own_are_honoured() -> None:
    parts = conninfo_to_dict(urls.conninfo("postgres://db/app?sslmode=require&sslrootcert=/etc/own.pem"))

    assert (parts["sslmode"], parts["sslrootcert"]) == ("verify-full", "/etc/own.pem")


def test_other_parameters_are_kept_and_stand_above_the_defaults() -> None:
    parts = conninfo_to_dict(
        urls.conninfo("POSTGRES://al%40ice:p%3Aw@one:1,two:2/app?connect_timeout=7&target_session_attrs=primary")
    )

    assert (parts["user"], parts["password"], parts["dbname"]) == ("al@ice", "p:w", "app")
    assert (parts["host"], parts["port"]) == ("one,two", "1,2")
    assert (parts["connect_timeout"], parts["target_session_attrs"]) == ("7", "primary")
    assert parts["application_name"] == "pylon"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://alice:secret@db.example:5433/app", "postgresql://alice@db.example:5433/app"),
        ("postgres://db/app?password=secret&user=bob", "postgresql://bob@db/app"),
        ("postgres://u:secret@one,two/app", "postgresql://u@one,two/app"),
        ("postgres://u:secret@one:1,two:2/app", "postgresql://u@one:1,two:2/app"),
        ("postgres://u:sec%zzret@db/app", "postgresql://"),
        ("postgres://u:sec/ret@db/app", "postgresql://"),
        ("postgres://u:sec@ret/x@db/app", "postgresql://"),
    ],
)
def test_a_masked_url_has_no_password(url: str, shown: str) -> None:
    assert urls.masked(url) == shown


@pytest.mark.parametrize(
    "url", ["postgres://u:sec%zzret@db/app", "postgres://u:secret@db/app?nonsense=1", "mysql://x"]
)
def test_a_refused_url_is_not_repeated(url: str) -> None:
    with pytest.raises(DataError) as refused:
        urls.conninfo(url)

    said = f"{refused.value} {refused.value.hint} {refused.value.__cause__}"
    assert refused.value.code == "SCHEMA_INIT_FAILED"
    assert "sec" not in said


def test_text_is_sent_as_utf_8_whatever_is_asked_for() -> None:
    parts = conninfo_to_dict(urls.conninfo("postgres://u@db/app?client_encoding=latin1"))

    assert parts["client_encoding"] == "UTF8"
