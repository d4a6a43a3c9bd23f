"""The chat example in a real browser, against the real server: what a newcomer sees first has to work.

Every tab is a guest of its own in one browser, as on a developer's machine. The server is a process that the
tests start on a copy of the example, stop with SIGTERM, and kill.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hatch_build import SYNC_BUNDLE, bundle_sync_client
from playwright.sync_api import BrowserContext, Page, WebSocket, expect

from tests.browser.support import ARTIFACTS, ROOT, in_browser, running_chromium
from tests.support.servers import ServerProcess

EXAMPLE = ROOT / "examples" / "chat"
LIVE_MS = 1_000
RECONNECT_MS = 20_000


class Tab:
    """One open page: what a guest does there, and every frame its socket received."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[str] = []
        self.errors: list[str] = []
        page.on("websocket", self._record)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _record(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.frames.append(str(frame)))

    def enter(self, url: str, name: str) -> "Tab":
        self.page.goto(url)
        self.expect_state("Live")
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Save").click()
        return self

    def say(self, body: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(body)
        self.page.get_by_role("button", name="Send").click()

    def whisper(self, name: str, body: str) -> None:
        self.page.get_by_role("button", name=f"Whisper to {name}").click()
        self.say(body)

    def expect_message(self, body: str, timeout_ms: float = LIVE_MS) -> None:
        expect(self.page.get_by_role("log").get_by_text(body)).to_be_visible(timeout=timeout_ms)

    def expect_state(self, state: str, timeout_ms: float = 10_000) -> None:
        expect(self.page.get_by_role("status")).to_have_text(state, timeout=timeout_ms)

    def session(self) -> dict[str, str]:
        session: dict[str, str] = self.page.evaluate("JSON.parse(sessionStorage.getItem('chat:session'))")
        return session


@pytest.fixture(scope="module")
def client_bundle() -> Path:
    return bundle_sync_client(ROOT, ROOT / SYNC_BUNDLE)


@pytest.fixture
def server(tmp_path: Path, client_bundle: Path) -> Iterator[ServerProcess]:
    app = tmp_path / "chat"
    shutil.copytree(EXAMPLE, app, ignore=shutil.ignore_patterns(".pylon"))
    process = ServerProcess(app).start()
    try:
        yield process
    finally:
        exit_code = process.stop()
    assert exit_code == 0, process.log.read_text()


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    with running_chromium() as chromium:
        yield chromium.new_context(viewport={"width": 1100, "height": 760})


@pytest.fixture
def enter(browser: BrowserContext, server: ServerProcess) -> Iterator[Callable[[str], Tab]]:
    tabs: list[Tab] = []

    def open_tab(name: str) -> Tab:
        tab = Tab(browser.new_page())
        tabs.append(tab)
        return tab.enter(server.url, name)

    yield open_tab
    assert [error for tab in tabs for error in tab.errors] == []


def joined_guest(server: ServerProcess, name: str) -> str:
    """A guest without a page who has joined the chat; its token."""
    token, _ = server.guest()
    status, answer = server.request("POST", "/api/fn/join", {"name": name}, token=token)
    assert status == 200, answer
    return token


def send(server: ServerProcess, token: str, body: str, **more: Any) -> tuple[int, Any]:
    return server.request("POST", "/api/fn/sendMessage", {"body": body, **more}, token=token)


@in_browser
def test_a_message_appears_in_the_other_tab_within_a_second(enter: Callable[[str], Tab]) -> None:
    ada, grace = enter("Ada"), enter("Grace")

    ada.say("Hello from the first tab")

    grace.expect_message("Hello from the first tab")
    ada.expect_message("Hello from the first tab")
    assert ada.session()["userId"] != grace.session()["userId"]


@in_browser
def test_a_whisper_reaches_its_recipient_and_nobody_else(
    enter: Callable[[str], Tab], server: ServerProcess
) -> None:
    ada, grace, eve = enter("Ada"), enter("Grace"), enter("Eve")
    secret = f"secret {uuid.uuid4().hex}"

    ada.whisper("Grace", secret)
    grace.expect_message(secret)
    ada.expect_message(secret)
    # What comes after the whisper on the same socket shows that the whisper is not merely late.
    grace.say("said to everyone, afterwards")
    eve.expect_message("said to everyone, afterwards")

    pulled = eve.page.evaluate(
        """token => fetch("/api/sync/pull?since=0", {headers: {Authorization: `Bearer ${token}`}})
            .then(response => response.text())""",
        eve.session()["token"],
    )
    assert "said to everyone, afterwards" in pulled
    assert secret not in pulled
    assert any("said to everyone, afterwards" in frame for frame in eve.frames)
    assert not any(secret in frame for frame in eve.frames)
    assert secret not in eve.page.content()


@in_browser
def test_after_a_crash_the_page_says_so_reconnects_and_shows_what_it_missed(
    enter: Callable[[str], Tab], server: ServerProcess
) -> None:
    ada = enter("Ada")
    ada.say("before the crash")
    ada.expect_message("before the crash")

    server.kill()
    ada.expect_state("Reconnecting")
    server.start()
    status, answer = send(server, joined_guest(server, "Grace"), "posted meanwhile")

    assert status == 200, answer
    ada.expect_message("posted meanwhile", RECONNECT_MS)
    ada.expect_state("Live", RECONNECT_MS)
    ada.expect_message("before the crash")
    ada.say("and on we go")
    ada.expect_message("and on we go")


@in_browser
def test_a_message_that_is_markup_is_shown_as_text(enter: Callable[[str], Tab]) -> None:
    ada = enter("<b>Ada</b>")

    ada.say("<img src=x onerror=alert(1)> & more")

    ada.expect_message("<img src=x onerror=alert(1)> & more")
    assert ada.page.locator(".message img").count() == 0


@in_browser
def test_what_the_server_refuses_is_told_and_the_text_is_kept(enter: Callable[[str], Tab]) -> None:
    ada = enter("Ada")

    ada.say("   ")

    expect(ada.page.get_by_role("alert")).to_have_text("There is nothing to send.")
    expect(ada.page.get_by_label("Message", exact=True)).to_have_value("   ")


@in_browser
def test_the_page_fits_wide_narrow_light_and_dark(enter: Callable[[str], Tab]) -> None:
    ada, grace = enter("Ada"), enter("Grace")
    ada.say("Good morning! Has anybody tried the new sync client?")
    grace.say("Yes: two tabs, no reload, and the message is simply there.")
    grace.whisper("Ada", "The whisper works, too. Nobody else can see this.")
    ada.say("Lovely.")
    grace.expect_message("Lovely.")

    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for width, height in ((1100, 760), (390, 780)):
        for scheme in ("light", "dark"):
            grace.page.set_viewport_size({"width": width, "height": height})
            grace.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            grace.page.screenshot(path=ARTIFACTS / f"chat-{width}-{scheme}.png")
            assert grace.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nobody_writes_past_the_functions(server: ServerProcess) -> None:
    token, user_id = server.guest()
    forged = {"body": "x", "authorId": user_id, "authorName": "The Admin", "sentAt": "2026-01-01T00:00:00Z"}
    change = {"entity": "Message", "row_id": "forged", "kind": "insert", "data": forged, "op_id": "op1"}

    status, answer = server.request("POST", "/api/sync/push", {"changes": [change]}, token=token)

    assert (status, answer["applied"], answer["results"][0]["status"]) == (200, 0, "failed")
    assert server.request("POST", "/api/entities/Message", forged, token=token)[0] == 403
    assert server.request("GET", "/api/sync/pull?since=0", token=token)[1]["changes"] == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"body": " "}, "INVALID_MESSAGE"),
        ({"body": "x" * 501}, "INVALID_MESSAGE"),
        ({"body": "hi", "recipientId": "nobody"}, "NO_SUCH_MEMBER"),
        ({"text": "hi"}, "INVALID_ARGS"),
    ],
    ids=["empty", "too long", "to nobody", "without a body"],
)
def test_a_message_that_makes_no_sense_is_refused(
    server: ServerProcess, message: dict[str, str], code: str
) -> None:
    token = joined_guest(server, "Ada")

    status, answer = server.request("POST", "/api/fn/sendMessage", message, token=token)

    assert (status, answer["error"]["code"]) == (400, code)


def test_nobody_writes_faster_than_allowed(server: ServerProcess) -> None:
    token = joined_guest(server, "Ada")

    answers = [send(server, token, f"message {number}") for number in range(9)]

    assert [status for status, _ in answers] == [200] * 8 + [400]
    assert answers[-1][1]["error"]["code"] == "RATE_LIMITED"


def test_the_statistics_know_nothing_of_whispers(server: ServerProcess) -> None:
    ada = joined_guest(server, "Ada")
    grace_token, grace = server.guest()
    server.request("POST", "/api/fn/join", {"name": "Grace"}, token=grace_token)
    send(server, ada, "aloud")
    send(server, ada, "quietly", recipientId=grace)

    status, answer = server.request("POST", "/api/fn/stats", {}, token=grace_token)

    assert (status, answer) == (200, {"messagesLastHour": 1, "voicesLastHour": 1})
