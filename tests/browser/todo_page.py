"""The page of the todo example as a person uses it: what they do in a tab, and their browser with its tabs."""

from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.browser.support import PATIENCE_MS

UNREACHABLE = ("net::ERR_INTERNET_DISCONNECTED", "WebSocket connection to")
"""What Chromium itself says on the console when a page without a network asks for something."""

READ_DEVICE = """const onDevice = (database, table) => new Promise((resolve, reject) => {
  const opening = indexedDB.open(database);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const reading = opening.result.transaction(table).objectStore(table).getAll();
    reading.onerror = () => reject(reading.error);
    reading.onsuccess = () => { opening.result.close(); resolve(reading.result); };
  };
});
"""


class Tab:
    """One open page, and what its person does there."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._forgiven = set(UNREACHABLE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def forgive(self, text: str) -> None:
        """What says this is no error of the page."""
        self._forgiven.add(text)

    def errors(self) -> list[str]:
        return [text for text in self.complaints if not any(known in text for known in self._forgiven)]

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("complementary").get_by_role("status")

    @property
    def problem(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def notes(self) -> Locator:
        return self.page.get_by_role("textbox", name="Notes", exact=True)

    @property
    def notes_status(self) -> Locator:
        return self.page.get_by_role("complementary", name="Todo").get_by_role("status")

    def enter(self, url: str, name: str) -> "Tab":
        self.page.goto(url)
        return self.start(name)

    def start(self, name: str) -> "Tab":
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Start").click()
        expect(self.status).to_have_text("Live")
        return self

    def sign_out(self) -> None:
        self.page.get_by_role("button", name="Sign out").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        expect(self.page.get_by_label("Your name")).to_be_visible()

    def make_list(self, title: str) -> str:
        """The address of the new list, which is also what others join it with."""
        self._type_into("New list", title)
        expect(self.page.get_by_label("Name of the list")).to_have_value(title)
        return self.page.url

    def add(self, *titles: str) -> None:
        for title in titles:
            self._type_into("Add a todo", title)
            expect(self.todo(title)).to_be_visible()

    def rename(self, title: str, to: str) -> None:
        self.todo(title).fill(to)
        self.todo(title).press("Enter")

    def tick(self, title: str) -> None:
        self.page.get_by_label(f"Done: {title}").check()

    def delete(self, title: str) -> None:
        self.page.get_by_role("button", name=f"Delete {title}").click()

    def open(self, title: str) -> None:
        self.page.get_by_role("link", name=f"Notes of {title}").click()
        expect(self.notes).to_be_editable()

    def todo(self, title: str) -> Locator:
        return self.page.get_by_label(f"Title of {title}", exact=True)

    def titles(self) -> list[str]:
        titles: list[str] = self.page.locator(".todo-title").evaluate_all("all => all.map(({ value }) => value)")
        return titles

    def shows(self, *titles: str) -> None:
        """These todos, in this order."""
        self.page.wait_for_function(
            """titles => {
              const shown = [...document.querySelectorAll(".todo-title")].map(({ value }) => value);
              return JSON.stringify(shown) === JSON.stringify(titles);
            }""",
            arg=list(titles),
        )

    def has_saved_changes(self, count: int) -> None:
        """Wait until so many unsent changes are on the device."""
        self._wait_for_device("(await onDevice('pylon_sync_todo', 'pendingMutations')).length === wanted", count)

    def has_saved_notes(self) -> None:
        """Wait until the device holds all that was typed, which the server does not have."""
        text = self.notes.input_value()
        self._wait_for_device(
            "(await onDevice('pylon_loro_todo', 'documents')).some(({ unsent }) => unsent)", text
        )

    def has_sent_all(self) -> None:
        expect(self.status).to_have_text("Live")

    def _wait_for_device(self, condition: str, wanted: Any = None) -> None:
        self.page.wait_for_function(f"async (wanted) => {{ {READ_DEVICE} return {condition}; }}", arg=wanted)

    def _type_into(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")
        expect(field).to_have_value("")


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, name: str, browser: BrowserContext) -> None:
        self.name = name
        self.browser = browser
        self.tabs: list[Tab] = []
        browser.set_default_timeout(PATIENCE_MS)

    def tab(self) -> Tab:
        tab = Tab(self.browser.new_page())
        self.tabs.append(tab)
        return tab

    def another_tab(self, url: str) -> Tab:
        tab = self.tab()
        tab.page.goto(url)
        expect(tab.status).to_have_text("Live")
        return tab

    def enter(self, url: str) -> Tab:
        return self.tab().enter(url, self.name)

    def join(self, url: str) -> Tab:
        tab = self.enter(url)
        tab.page.get_by_role("button", name=f"Join as {self.name}").click()
        expect(tab.page.get_by_label("Name of the list")).to_be_visible()
        return tab

    def go_offline(self) -> None:
        """Once the service worker has everything: before that, a page is no more than a page."""
        self.tabs[0].page.wait_for_function("navigator.serviceWorker.controller !== null")
        self.browser.set_offline(True)
        for tab in self.tabs:
            expect(tab.page.get_by_text("You are offline.")).to_be_visible()

    def come_back(self) -> None:
        self.browser.set_offline(False)

    def token(self) -> str:
        token: str = self.tabs[0].page.evaluate("localStorage.getItem('pylon:todo:token')")
        return token
