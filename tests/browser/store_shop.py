"""A shop as the store example has it, with its shelves filled, and buyers who need no page."""

import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.browser.support import ROOT
from tests.support.servers import ServerProcess

EXAMPLE = ROOT / "examples" / "store"
NOT_THE_APP = shutil.ignore_patterns("node_modules", "public", ".pylon", ".env", "src")
SECRETS = {"STORE_WEBHOOK_SECRET": "for-payments", "PYLON_ADMIN_TOKEN": "for-tests"}
DETAILS = {"name": "Ada Byron", "email": "ada@example.com", "address": "12 Analytical Row"}

FREE_SHIPPING_FROM_CENTS = 8_000
SHIPPING_CENTS = 590

Answer = tuple[int, Any]


def running_shop(folder: Path, bundle: Path | None = None, **settings: str) -> Iterator[ServerProcess]:
    """Shelves filled, parcels packed within a second."""
    app = folder / "store"
    shutil.copytree(EXAMPLE, app, ignore=NOT_THE_APP)
    if bundle is not None:
        shutil.copytree(bundle, app / "public")
    environ = {**SECRETS, "STORE_DEMO_PAYMENTS": "1", "STORE_PACK_FOR": "1s", **settings}
    process = ServerProcess(app, env=environ).start()
    try:
        assert process.request("POST", "/api/fn/seed") == (200, {"added": 60})
        yield process
    finally:
        exit_code = process.stop()
    assert exit_code == 0, process.log.read_text()


class Buyer:
    """A guest without a page."""

    def __init__(self, server: ServerProcess) -> None:
        self.token, self.user_id = server.guest()
        self._server = server

    def call(self, function: str, args: dict[str, Any]) -> Answer:
        return self._server.request("POST", f"/api/fn/{function}", args, token=self.token)

    def rows(self, entity: str) -> list[dict[str, Any]]:
        status, rows = self._server.request("GET", f"/api/entities/{entity}", token=self.token)
        assert status == 200, rows
        found: list[dict[str, Any]] = rows
        return found

    def put_into_cart(self, *products: dict[str, Any]) -> "Buyer":
        for product in products:
            status, answer = self.call("addToCart", {"productId": product["id"]})
            assert status == 200, answer
        return self

    def check_out(self, *products: dict[str, Any]) -> Answer:
        """What is in the cart, which is one each of these."""
        goods = sum(product["priceCents"] for product in products)
        shipping = 0 if goods >= FREE_SHIPPING_FROM_CENTS else SHIPPING_CENTS
        return self.call("checkout", {**DETAILS, "totalCents": goods + shipping})

    def buy(self, *products: dict[str, Any]) -> dict[str, Any]:
        """The order, not paid for yet."""
        status, answer = self.put_into_cart(*products).check_out(*products)
        assert status == 200, answer
        return self.order()

    def order(self) -> dict[str, Any]:
        (order,) = self.rows("Order")
        return order

    def signed_payment(self, order: dict[str, Any]) -> tuple[str, str]:
        """What the payment provider would send, and its signature."""
        status, signed = self.call("demoPayment", {"orderId": order["id"]})
        assert status == 200, signed
        return signed["body"], signed["signature"]

    def subjects(self) -> list[str]:
        """Of the emails, as they were written."""
        return [email["subject"] for email in sorted(self.rows("Email"), key=lambda email: email["queuedAt"])]


def product_named(server: ServerProcess, name: str) -> dict[str, Any]:
    status, rows = server.request("POST", "/api/query/Product", {"name": name}, token=SECRETS["PYLON_ADMIN_TOKEN"])
    assert status == 200, rows
    (product,) = rows
    found: dict[str, Any] = product
    return found


def rows_as_admin(server: ServerProcess, entity: str, where: dict[str, Any]) -> list[dict[str, Any]]:
    status, rows = server.request("POST", f"/api/query/{entity}", where, token=SECRETS["PYLON_ADMIN_TOKEN"])
    assert status == 200, rows
    found: list[dict[str, Any]] = rows
    return found


def send_payment(server: ServerProcess, body: str, signature: str) -> Answer:
    """To the webhook, as the payment provider does: with nobody's session."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("POST", "/api/webhooks/paymentEvents", body, {"x-signature": signature})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def stock_of(server: ServerProcess, name: str) -> int:
    stock: int = product_named(server, name)["stock"]
    return stock


def status_of(buyer: Buyer) -> str:
    status: str = buyer.order()["status"]
    return status
