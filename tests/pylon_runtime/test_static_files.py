"""Files: what is inside the folder is served with validators, what is outside never (contract: nothing leaks)."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_core.errors import PylonError
from pylon_http import Response
from pylon_runtime import static_files
from pylon_runtime.static_files import StaticFiles, safe_segments

SECRET = b"not for you"
PAGE = b"<h1>hello</h1>"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    root = tmp_path / "public"
    (root / "docs").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / ".well-known").mkdir()
    (root / ".git").mkdir()
    (tmp_path / "public-secrets").mkdir()
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "public-secrets" / "index.html").write_bytes(SECRET)
    (root / "index.html").write_bytes(PAGE)
    (root / "docs" / "index.html").write_bytes(PAGE)
    (root / "ünï côde.txt").write_bytes(PAGE)
    (root / ".env").write_bytes(SECRET)
    (root / ".git" / "config").write_bytes(SECRET)
    (root / ".well-known" / "a.json").write_bytes(b"{}")
    (root / "escape.txt").symlink_to(tmp_path / "secret.txt")
    (root / "escape").symlink_to(tmp_path / "public-secrets")
    (root / "inside.html").symlink_to(root / "index.html")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture
def files(public: Path) -> StaticFiles:
    return StaticFiles(public, None)


def header(response: Response, name: str) -> str:
    return dict(response.headers)[name]


def assert_nothing_there(files: StaticFiles, target: str) -> None:
    with pytest.raises(PylonError) as caught:
        files.answer(target, {})
    assert caught.value.code == "NOT_FOUND"


@pytest.mark.parametrize("target", ["/", "/?x=1", "/index.html", "/docs/", "/inside.html", "/docs/index.html"])
def test_a_file_or_a_folders_index_is_served(files: StaticFiles, target: str) -> None:
    response = files.answer(target, {})

    assert (response.status, response.body) == (200, PAGE)
    assert response.content_type == "text/html; charset=utf-8"


def test_names_are_percent_decoded(files: StaticFiles) -> None:
    assert files.answer("/%C3%BCn%c3%af%20c%C3%B4de.txt", {}).body == PAGE


def test_a_folder_without_its_slash_is_sent_there(files: StaticFiles) -> None:
    response = files.answer("/docs", {})

    assert response.status == 308
    assert header(response, "Location") == "/docs/"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "nothing",
        "/nothing.html",
        "/empty",
        "/empty/",
        "/index.html/",
        "/pipe",
        "//index.html",
        "//evil.example/docs",
        "/docs//index.html",
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/docs/../index.html",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/./index.html",
        "/../public-secrets/",
        "/%252e%252e/secret.txt",
        "/docs%2f..%2f..%2fsecret.txt",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/escape.txt",
        "/escape/index.html",
        "/escape",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.well-known/../.env",
        "/index.html%00.png",
        "/index.html%0a",
        "/C:/secret.txt",
        "/index.html::$DATA",
        "/%ff",
        "/" + "a" * 300,
        "/" + "%F0%9F%90%8D" * 100,
        "/" + "a/" * 5000,
        "http://host/index.html",
    ],
)
def test_everything_else_is_not_there(files: StaticFiles, target: str) -> None:
    assert_nothing_there(files, target)


def test_well_known_is_the_only_hidden_folder_that_is_served(files: StaticFiles) -> None:
    assert files.answer("/.well-known/a.json", {}).body == b"{}"


def test_without_a_folder_there_is_nothing() -> None:
    assert_nothing_there(StaticFiles(None, None), "/index.html")
    assert_nothing_there(StaticFiles(None, None), "/_pylon/sync.js")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.ts", "text/plain; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_the_name(public: Path, files: StaticFiles, name: str, kind: str) -> None:
    (public / name).write_bytes(b"x")

    assert files.answer(f"/{name}", {}).content_type == kind


def test_a_client_that_has_the_file_is_told_so(files: StaticFiles) -> None:
    first = files.answer("/index.html", {})
    etag, modified = header(first, "ETag"), header(first, "Last-Modified")

    for conditions in (
        {"if-none-match": etag},
        {"if-none-match": f'"x", W/{etag}'},
        {"if-none-match": "*"},
        {"if-modified-since": modified},
    ):
        again = files.answer("/index.html", conditions)
        assert (again.status, again.body, header(again, "ETag")) == (304, b"", etag)


@pytest.mark.parametrize(
    "conditions",
    [
        {"if-none-match": '"other"'},
        {"if-none-match": ""},
        {"if-none-match": '"other"', "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"if-modified-since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"if-modified-since": "yesterday"},
    ],
)
def test_a_client_that_has_not_gets_the_file(files: StaticFiles, conditions: dict[str, str]) -> None:
    assert files.answer("/index.html", conditions).status == 200


def test_a_changed_file_has_another_etag(public: Path, files: StaticFiles) -> None:
    before = header(files.answer("/index.html", {}), "ETag")
    (public / "index.html").write_bytes(PAGE + b"!")

    after = files.answer("/index.html", {"if-none-match": before})

    assert (after.status, after.body) == (200, PAGE + b"!")


def test_the_browser_client_is_served_from_its_own_file(tmp_path: Path, public: Path) -> None:
    client = tmp_path / "bundle-of-the-day.js"
    client.write_text("export {}")

    response = StaticFiles(public, client).answer("/_pylon/sync.js?v=1", {})

    assert (response.body, response.content_type) == (b"export {}", "text/javascript; charset=utf-8")


def test_a_file_too_large_for_memory_is_refused(
    public: Path, files: StaticFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "FILE_BYTES_MAX", 4)
    (public / "big.bin").write_bytes(b"12345")

    with pytest.raises(PylonError) as caught:
        files.answer("/big.bin", {})

    assert caught.value.code == "NOT_SUPPORTED"


@given(
    st.lists(
        st.sampled_from(["..", ".", "%2e", "%2f", "%5c", "/", "\\", "a", "secret.txt", "%00", "~"]), max_size=8
    )
)
def test_no_spelling_of_a_path_names_anything_but_plain_segments(pieces: list[str]) -> None:
    segments = safe_segments("/" + "".join(pieces))

    if segments is not None:
        assert all(segment not in (".", "..") for segment in segments)
        assert all(not set(segment) & set("/\\\0") for segment in segments)
        assert "" not in segments[:-1]


@given(st.text())
def test_no_path_breaks_the_parser(path: str) -> None:
    assert isinstance(safe_segments(path), list | None)
