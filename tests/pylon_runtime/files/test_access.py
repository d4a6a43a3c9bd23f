"""Who may do what with whose files, and what is no id: every identity, every way of asking."""

from urllib.parse import quote

import pytest

from tests.support.file_server import SITE, FileServer
from tests.support.file_storages import Folder

WHO = ("anonymous", "guest", "alice", "bob", "admin")


DENIED = (401, "AUTH_REQUIRED")
ABSENT = (404, "FILE_NOT_FOUND")
FORBIDDEN = (403, "FORBIDDEN")
READ = (200, "")
DELETED = (200, "deleted")

TABLE = [
    # method, private, then what each of WHO gets for a file of alice
    ("GET", False, (DENIED, READ, READ, READ, READ)),
    ("GET", True, (DENIED, ABSENT, READ, ABSENT, READ)),
    ("DELETE", False, (DENIED, FORBIDDEN, DELETED, FORBIDDEN, DELETED)),
    ("DELETE", True, (DENIED, ABSENT, DELETED, ABSENT, DELETED)),
]
CASES = [
    pytest.param(method, private, who, expected, id=f"{method}-{'private' if private else 'shared'}-{who}")
    for method, private, row in TABLE
    for who, expected in zip(WHO, row, strict=True)
]


@pytest.mark.parametrize(("method", "private", "who", "expected"), CASES)
def test_a_file_of_alice(
    local: FileServer, folder: Folder, method: str, private: bool, who: str, expected: tuple[int, str]
) -> None:
    file_id = local.upload(b"secret", query="?private=1" if private else "")

    answer = local.ask(method, f"/api/files/{file_id}", None, who)
    absent = local.ask(method, f"/api/files/{file_id}x", None, who)

    status, word = expected
    assert answer.status == status
    if expected is READ:
        assert answer.body == b"secret"
    elif expected is DELETED:
        assert (answer.json, folder.names()) == ({"deleted": True}, [])
    else:
        assert answer.code == word
        assert b"secret" not in answer.body
        assert folder.names() == [file_id]
    if expected is ABSENT:  # not even the words tell that it is there
        assert answer.body == absent.body


@pytest.mark.parametrize(
    ("query", "private"),
    [
        ("", False),
        ("?private=0", False),
        ("?private=false", False),
        ("?private=1", True),
        ("?private=yes", True),
        ("?private", True),
        ("?x=1&private=true", True),
        ("?Private=1", False),
    ],
)
def test_a_file_is_private_when_anything_like_that_is_asked_for(
    local: FileServer, query: str, private: bool
) -> None:
    local.upload(b"abc", query=query)

    assert [file.private for file in local.library.page(None, None, 10)] == [private]


@pytest.mark.parametrize("who", WHO)
def test_whoever_is_signed_in_may_upload(local: FileServer, folder: Folder, who: str) -> None:
    answer = local.ask("POST", "/api/files/upload", b"abc", who)

    if who == "anonymous":
        assert (answer.status, answer.code, folder.names()) == (401, "AUTH_REQUIRED", [])
    else:
        owner = {"guest": local.guest_id, "admin": "__admin__"}.get(who, who)
        assert answer.status == 201
        assert [file.user_id for file in local.library.page(None, None, 10)] == [owner]


@pytest.mark.parametrize(
    "file_id",
    [
        "../etc/passwd",
        "..%2Fetc%2Fpasswd",
        "%2e%2e",
        "file_1..2",
        "foo/bar",
        "foo%2Fbar",
        "foo%5Cbar",
        "foo\\bar",
        "a%00b",
        "a%0Ab",
        "a%7Fb",
        "",
        "foo/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_cannot_be_an_id_is_refused(local: FileServer, method: str, file_id: str) -> None:
    with local.client() as client:
        reply = client.ask(
            f"{method} /api/files/{file_id} HTTP/1.1\r\nHost: t\r\n"
            f"Authorization: Bearer {local.tokens['alice']}\r\n\r\n".encode()
        )

    assert (reply.status, reply.code) == (400, "INVALID_ID")


@pytest.mark.parametrize("name", [".incoming", "%2Eincoming", "file_1", "ünïcode", "upload", "x" * 3000])
def test_an_id_that_was_never_given_out_is_absent_whatever_lies_in_the_folder(
    local: FileServer, folder: Folder, name: str
) -> None:
    (folder.path / "file_1").write_bytes(b"not an upload")

    answer = local.ask("GET", f"/api/files/{quote(name, safe='%')}")

    assert (answer.status, answer.code) == (404, "FILE_NOT_FOUND")


@pytest.fixture
def shelves(local: FileServer) -> FileServer:
    """Three files of alice, one of bob, one of the guest."""
    for number in range(3):
        local.upload(b"x" * number, x_filename=f"{number}.txt", query="?private=1" if number == 2 else "")
    local.upload(b"bob's", "bob")
    local.upload(b"guest's", "guest")
    return local


def test_a_list_has_the_callers_own_files_with_everything_about_them(shelves: FileServer) -> None:
    answer = shelves.ask("GET", "/api/files")

    files = answer.json["data"]
    assert [(file["name"], file["size"], file["private"], file["user_id"]) for file in files] == [
        ("0.txt", 0, False, "alice"),
        ("1.txt", 1, False, "alice"),
        ("2.txt", 2, True, "alice"),
    ]
    assert files[0]["url"] == f"/api/files/{files[0]['id']}"
    assert files[0]["created_at"].endswith("Z")
    assert (answer.json["has_more"], answer.json["next_cursor"]) == (False, files[-1]["id"])


def test_pages_follow_each_other(shelves: FileServer) -> None:
    pages = []
    after = ""
    while True:
        page = shelves.ask("GET", f"/api/files?limit=2&after={after}").json
        pages.append([file["name"] for file in page["data"]])
        if not page["has_more"]:
            break
        after = page["next_cursor"]

    assert pages == [["0.txt", "1.txt"], ["2.txt"]]


@pytest.mark.parametrize(
    ("who", "query", "status", "count"),
    [
        ("anonymous", "", 401, 0),
        ("guest", "", 200, 1),
        ("bob", "?user_id=bob", 200, 1),
        ("bob", "?user_id=alice", 403, 0),
        ("admin", "", 200, 5),
        ("admin", "?user_id=alice", 200, 3),
        ("admin", "?user_id=nobody", 200, 0),
        ("alice", "?after=..%2F", 400, 0),
    ],
)
def test_a_list_shows_nobody_the_files_of_others(
    shelves: FileServer, who: str, query: str, status: int, count: int
) -> None:
    answer = shelves.ask("GET", f"/api/files{query}", None, who)

    assert answer.status == status
    if status == 200:
        assert len(answer.json["data"]) == count


def test_a_page_of_another_origin_may_send_what_an_upload_needs(local: FileServer) -> None:
    answer = local.ask("OPTIONS", "/api/files/upload", None, "anonymous", origin=SITE)

    assert answer.status == 204
    assert {"X-Filename", "Content-Type", "Authorization"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )


def test_an_upload_with_a_cookie_needs_an_origin_that_may_write(local: FileServer, folder: Folder) -> None:
    cookie = f"app_session={local.tokens['alice']}"

    answers = [
        local.ask("POST", "/api/files/upload", b"abc", "anonymous", cookie=cookie, origin=origin)
        for origin in (SITE, "https://evil.example")
    ]

    assert [answer.status for answer in answers] == [201, 403]
    assert answers[1].code == "CSRF_REJECTED"
    assert len(folder.names()) == 1
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == SITE
        assert answer.headers["access-control-allow-credentials"] == "true"


def test_answers_carry_the_id_of_their_request(local: FileServer) -> None:
    stored = local.ask("POST", "/api/files/upload", b"abc", x_request_id="req-1")
    read = local.ask("GET", stored.json["url"], x_request_id="req-2")

    assert (stored.headers["x-request-id"], read.headers["x-request-id"]) == ("req-1", "req-2")
    assert read.body == b"abc"
