"""The store example without its page: a mutation takes the stock, a signed webhook tells of the payment, steps
write the emails, a timeout gives everything back, and nobody gets at what is not theirs.
"""

import hmac
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pylon_cli.main import main
from tests.browser.store_shop import (
    DETAILS,
    EXAMPLE,
    NOT_THE_APP,
    SECRETS,
    Buyer,
    product_named,
    rows_as_admin,
    running_shop,
    send_payment,
    status_of,
    stock_of,
)
from tests.support.postgres import fresh_database
from tests.support.servers import ServerProcess
from tests.support.waiting import until

ADMIN = SECRETS["PYLON_ADMIN_TOKEN"]
SERVERS_OWN_CODES = "/** Every code of the server's own"
"""From there on a generated client says nothing of its app."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    database = fresh_database() if request.param == "postgres" else ""
    yield from running_shop(tmp_path_factory.mktemp("shop"), STORE_PAY_WITHIN="1h", DATABASE_URL=database)


@pytest.fixture(scope="module")
def hasty_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Who does not pay within a second does not get it."""
    yield from running_shop(tmp_path_factory.mktemp("hasty"), STORE_PAY_WITHIN="1s")


def test_who_does_not_pay_in_time_is_cancelled_and_the_stock_comes_back(hasty_shop: ServerProcess) -> None:
    mug, bowl = (product_named(hasty_shop, name) for name in ("Pebble mug", "Plain serving bowl"))
    ada = Buyer(hasty_shop)
    order = ada.buy(mug, bowl)
    assert stock_of(hasty_shop, "Pebble mug") == mug["stock"] - 1
    late = ada.signed_payment(order)

    until(lambda: status_of(ada) == "cancelled", "the order to be cancelled")

    for product in (mug, bowl):
        assert product_named(hasty_shop, product["name"]) == product
    until(lambda: len(ada.rows("Email")) == 2, "the email that says so")
    number = order["number"]
    assert ada.subjects() == [f"We have your order ({number})", f"Your order was cancelled ({number})"]
    assert send_payment(hasty_shop, *late) == (200, {"outcome": "refund"})
    assert status_of(ada) == "cancelled"
    workflow = hasty_shop.request("GET", f"/api/workflows/{order['workflowId']}", token=ADMIN)[1]
    assert (workflow["status"], workflow["output"]) == ("Completed", "cancelled")


def test_an_order_goes_on_where_it_was_when_the_server_was_killed(hasty_shop: ServerProcess) -> None:
    ada = Buyer(hasty_shop)
    order = ada.buy(product_named(hasty_shop, "Oat cushion"))
    assert send_payment(hasty_shop, *ada.signed_payment(order)) == (200, {"outcome": "accepted"})

    hasty_shop.kill()
    hasty_shop.start()

    until(lambda: len(ada.rows("Email")) == 3, "the last email")
    assert status_of(ada) == "shipped"
    assert len(set(ada.subjects())) == 3


def test_a_payment_that_the_provider_repeats_counts_once(shop: ServerProcess) -> None:
    candle = product_named(shop, "Hay candle")
    ada = Buyer(shop)
    order = ada.buy(candle)
    signed = ada.signed_payment(order)

    outcomes = [send_payment(shop, *signed), send_payment(shop, *signed)]
    second_payment = send_payment(shop, *ada.signed_payment(order))

    assert outcomes == [(200, {"outcome": "accepted"}), (200, {"outcome": "repeated"})]
    assert second_payment == (200, {"outcome": "refund"})
    payments = rows_as_admin(shop, "Payment", {"orderNumber": order["number"]})
    assert sorted(payment["outcome"] for payment in payments) == ["accepted", "refund"]
    until(lambda: len(ada.rows("Email")) == 3, "the last email")
    assert status_of(ada) == "shipped"
    assert len(set(ada.subjects())) == 3


def test_a_payment_of_another_amount_does_not_pay_the_order(shop: ServerProcess) -> None:
    ada = Buyer(shop)
    order = ada.buy(product_named(shop, "Hay candle"))
    body = json.loads(ada.signed_payment(order)[0])
    cheap = json.dumps({**body, "amountCents": 1})
    signature = hmac.digest(SECRETS["STORE_WEBHOOK_SECRET"].encode(), cheap.encode(), "sha256").hex()

    assert send_payment(shop, cheap, signature) == (200, {"outcome": "refund"})
    assert status_of(ada) == "placed"


@pytest.mark.parametrize("signature", ["", "0" * 64, "é"], ids=["none", "another", "no hexadecimal"])
def test_a_payment_with_a_wrong_signature_is_refused_unread(shop: ServerProcess, signature: str) -> None:
    status, answer = send_payment(shop, "not even JSON", signature)

    assert (status, answer["code"]) == (400, "BAD_SIGNATURE")


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("cancelOrder", {}),
        ("shipOrder", {}),
        ("sendOrderEmail", {"letter": "shipped"}),
        ("recordPayment", {"eventId": "e", "orderNumber": "n", "amountCents": 1}),
        ("sweepCarts", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_only_the_shop_does_is_not_there_for_anybody_else(
    shop: ServerProcess, function: str, args: dict[str, Any]
) -> None:
    ada = Buyer(shop)
    order = ada.buy(product_named(shop, "Hay candle"))
    for token in (ada.token, ADMIN):
        path = f"/api/fn/{function}"
        status, answer = shop.request("POST", path, {"orderId": order["id"], **args}, token=token)
        assert (status, answer["code"]) == (404, "FN_NOT_FOUND")
    assert status_of(ada) == "placed"


def test_an_order_whose_payment_comes_as_its_time_runs_out_is_not_cancelled(shop: ServerProcess) -> None:
    candle = product_named(shop, "Hay candle")
    ada = Buyer(shop)
    order = ada.buy(candle)
    assert send_payment(shop, *ada.signed_payment(order)) == (200, {"outcome": "accepted"})

    job = {"name": "cancelOrder", "payload": {"orderId": order["id"]}}
    status, kept = shop.request("POST", "/api/jobs", job, token=ADMIN)

    assert status == 201
    path = f"/api/jobs/{kept['id']}"
    until(lambda: shop.request("GET", path, token=ADMIN)[1]["status"] == "completed", "the job to be done")
    assert status_of(ada) in ("paid", "shipped")
    assert stock_of(shop, "Hay candle") == candle["stock"] - 1


def test_a_cart_that_is_checked_out_twice_at_once_is_one_order(shop: ServerProcess) -> None:
    candle = product_named(shop, "Fig leaf candle")
    ada = Buyer(shop).put_into_cart(candle)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ada.check_out(candle), range(2)))

    assert sorted(status for status, _ in answers) == [200, 400]
    assert len(ada.rows("Order")) == 1
    assert stock_of(shop, "Fig leaf candle") == candle["stock"] - 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "no address"}, "INVALID_EMAIL"),
        ({"address": "  "}, "INCOMPLETE"),
        ({"name": "x" * 301}, "TOO_LONG"),
        ({"totalCents": 1}, "PRICE_CHANGED"),
        ({"totalCents": "1"}, "INVALID_ARGS"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_order_that_makes_no_sense_takes_nothing(
    shop: ServerProcess, change: dict[str, Any], code: str
) -> None:
    candle = product_named(shop, "Chimney candle")
    ada = Buyer(shop).put_into_cart(candle)
    total = candle["priceCents"] + 590

    status, answer = ada.call("checkout", {**DETAILS, "totalCents": total, **change})

    assert (status, answer["code"]) == (400, code)
    assert stock_of(shop, "Chimney candle") == candle["stock"]
    assert [item["quantity"] for item in ada.rows("CartItem")] == [1]
    assert ada.rows("Order") == []


def test_nobody_puts_into_a_cart_what_is_not_there(shop: ServerProcess) -> None:
    ada = Buyer(shop)

    sold_out = ada.call("addToCart", {"productId": product_named(shop, "Nightshade planter")["id"]})
    unknown = ada.call("addToCart", {"productId": "nothing"})
    nobody = shop.request("POST", "/api/fn/addToCart", {"productId": "nothing"})

    codes = [(status, answer["code"]) for status, answer in (sold_out, unknown, nobody)]
    assert codes == [(400, "OUT_OF_STOCK"), (400, "NO_SUCH_PRODUCT"), (400, "AUTH_REQUIRED")]


def test_carts_and_orders_are_their_owners_and_prices_the_shops(shop: ServerProcess) -> None:
    candle = product_named(shop, "Damson candle")
    ada, eve = Buyer(shop), Buyer(shop)
    order = ada.buy(candle)
    (item,) = ada.put_into_cart(candle).rows("CartItem")

    def patch(buyer: Buyer, path: str, change: dict[str, Any]) -> int:
        return shop.request("PATCH", f"/api/entities/{path}", change, token=buyer.token)[0]

    assert {entity: eve.rows(entity) for entity in ("CartItem", "Customer", "Order", "OrderLine", "Email")} == {
        "CartItem": [], "Customer": [], "Order": [], "OrderLine": [], "Email": [],
    }  # fmt: skip
    assert patch(eve, f"CartItem/{item['id']}", {"quantity": 2}) in (403, 404)
    assert patch(ada, f"CartItem/{item['id']}", {"quantity": 0}) == 403
    assert patch(ada, f"CartItem/{item['id']}", {"quantity": 21}) == 403
    assert patch(ada, f"CartItem/{item['id']}", {"quantity": 2}) == 200
    assert patch(ada, f"Order/{order['id']}", {"status": "paid"}) == 403
    assert patch(ada, f"Product/{candle['id']}", {"priceCents": 1}) == 403
    assert shop.request("GET", "/api/entities/Payment", token=ada.token)[0] == 403
    assert eve.call("demoPayment", {"orderId": order["id"]}) == (200, None)


def test_what_was_bought_together_goes_together(shop: ServerProcess) -> None:
    teapot, clock = product_named(shop, "Biscuit teapot"), product_named(shop, "Curfew clock")
    alike = Buyer(shop).call("goesWith", {"products": [teapot["id"]], "limit": 3})[1]
    assert clock["id"] not in alike

    # More often than by chance, which takes others who buy other things.
    for _ in range(3):
        Buyer(shop).buy(teapot, clock)
        Buyer(shop).buy(product_named(shop, "Rust vase"))

    status, found = Buyer(shop).call("goesWith", {"products": [teapot["id"]], "limit": 3})
    assert (status, found[0], len(found)) == (200, clock["id"], 3)
    assert Buyer(shop).call("goesWith", {"products": [], "limit": 0}) == (200, [])


def test_carts_that_nobody_touches_are_forgotten_at_night(shop: ServerProcess) -> None:
    candle = product_named(shop, "Sea mist candle")
    old, fresh = (Buyer(shop).put_into_cart(candle) for _ in range(2))
    (item,) = old.rows("CartItem")
    long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    path = f"/api/entities/CartItem/{item['id']}"
    assert shop.request("PATCH", path, {"touchedAt": long_ago}, token=ADMIN)[0] == 200

    status, triggered = shop.request("POST", "/api/scheduler/trigger/nightly", token=ADMIN)

    assert status in (200, 202), triggered
    until(lambda: old.rows("CartItem") == [], "the cart to be swept")
    assert len(fresh.rows("CartItem")) == 1


def test_the_generated_client_is_that_of_the_app(tmp_path: Path) -> None:
    app, made = tmp_path / "store", tmp_path / "store" / "pylon.client.ts"
    shutil.copytree(EXAMPLE, app, ignore=NOT_THE_APP)
    kept = made.read_text()
    made.unlink()
    manifest = app / "pylon.manifest.json"
    for command in (
        ["codegen", str(app / "app.ts"), "--out", str(manifest)],
        ["codegen", "client", str(manifest), "--out", str(made)],
    ):
        assert main(command) == 0

    newest, old = (text.partition(SERVERS_OWN_CODES)[0] for text in (made.read_text(), kept))
    assert newest == old, "start `pylon dev examples/store` once, and commit the pylon.client.ts it leaves"
