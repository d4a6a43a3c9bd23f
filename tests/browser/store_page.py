"""The page of the store example as somebody uses it."""

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.browser.store_shop import DETAILS
from tests.browser.support import PATIENCE_MS


class Shopper:
    """A guest with a page of the shop in a browser of their own."""

    def __init__(self, browser: BrowserContext, url: str) -> None:
        browser.set_default_timeout(PATIENCE_MS)
        self.browser = browser
        self.page: Page = browser.new_page()
        self.complaints: list[str] = []
        self._url = url
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def go(self, place: str = "") -> "Shopper":
        self.page.goto(f"{self._url}/#/{place}")
        return self

    def search(self, words: str) -> None:
        self.page.get_by_role("searchbox", name="Search products").fill(words)

    def product(self, name: str) -> Locator:
        return self.page.get_by_role("list", name="Products").get_by_role("article").filter(has_text=name)

    def shows(self, *names: str) -> None:
        """These products, in any order, and no others."""
        expect(self.page.get_by_role("list", name="Products").get_by_role("article")).to_have_count(len(names))
        for name in names:
            expect(self.product(name)).to_be_visible()

    def facet(self, name: str) -> Locator:
        """A value that one may filter by, which says how many one would find."""
        return self.page.get_by_role("complementary", name="Filters").get_by_role("button", name=name)

    def add(self, name: str) -> None:
        self.page.get_by_role("button", name=f"Add {name} to cart").click()
        expect(self.page.get_by_role("status").filter(has_text=name)).to_be_visible()

    @property
    def cart_button(self) -> Locator:
        return self.page.get_by_role("button", name="Cart", exact=False).and_(
            self.page.locator("[aria-haspopup=dialog]")
        )

    def open_cart(self) -> Locator:
        self.cart_button.click()
        return self.page.get_by_role("dialog", name="Your cart")

    def order(self) -> str:
        """Check out what is in the open cart; where to pay."""
        self.page.get_by_role("link", name="Check out").click()
        self.page.get_by_label("Name").fill(DETAILS["name"])
        self.page.get_by_label("Email").fill(DETAILS["email"])
        self.page.get_by_label("Address").fill(DETAILS["address"])
        self.page.get_by_role("button", name="Order and pay").click()
        self.page.wait_for_url("**/#/pay/*")
        return self.page.url

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("main").get_by_role("status")

    def emails(self) -> Locator:
        return self.page.get_by_role("region", name="Emails to you").get_by_role("listitem")
