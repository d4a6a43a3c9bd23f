"""Writing without a connection, in a real browser: real IndexedDB, Web Locks and channels, against a real server.

The page is kept by a service worker, as an offline app's is, so that it can be reloaded while nothing answers.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hatch_build import SYNC_BUNDLE, bundle_sync_client
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.browser.support import ROOT, in_browser, running_chromium
from tests.support.servers import ServerProcess

RECONNECT_MS = 40_000

MANIFEST = {
    "manifest_version": 1,
    "name": "notes",
    "version": "0.1.0",
    "entities": [
        {
            "name": "Note",
            "fields": [
                {"name": "title", "type": "string", "optional": False, "unique": False},
                {"name": "ownerId", "type": "string", "optional": False, "unique": False},
            ],
            "indexes": [],
            "crdt": False,
        }
    ],
    "routes": [],
    "queries": [],
    "actions": [],
    "policies": [
        {
            "name": "own_notes",
            "entity": "Note",
            "allowRead": "auth.userId == data.ownerId",
            "allowWrite": "auth.userId == data.ownerId",
        }
    ],
}

PAGE = """<!doctype html><title>Notes</title><ul></ul>
<script type="module">
  import { createSyncEngine } from "/_pylon/sync.js";

  await navigator.serviceWorker.register("/worker.js");
  await navigator.serviceWorker.ready;
  if (localStorage.getItem("pylon_token") === null) await window.enter();
  const engine = createSyncEngine(location.origin, {
    wsUrl: `${location.origin.replace("http", "ws")}/api/sync/ws`,
    reconnectDelay: 200,
  });
  const list = document.querySelector("ul");
  engine.store.subscribeEntity("Note", () => {
    const titles = engine.store.list("Note").map((note) => note.title).sort();
    list.replaceChildren(...titles.map((title) => {
      const item = document.createElement("li");
      item.textContent = title;
      return item;
    }));
  });
  window.engine = engine;
  window.write = (title) => engine.insert("Note", { title, ownerId: localStorage.getItem("user") });
  await engine.start();
  document.title = "Started";
</script>
<script>
  window.enter = async () => {
    const guest = await (await fetch("/api/auth/guest", { method: "POST" })).json();
    localStorage.setItem("pylon_token", guest.token);
    localStorage.setItem("user", guest.user_id);
  };
</script>
"""

WORKER = """
const KEPT = ["/", "/_pylon/sync.js"];
addEventListener("install", (event) => {
  event.waitUntil(caches.open("kept").then((cache) => cache.addAll(KEPT)).then(() => skipWaiting()));
});
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (KEPT.includes(new URL(event.request.url).pathname)) event.respondWith(caches.match(event.request));
});
"""


@pytest.fixture(scope="module")
def client_bundle() -> Path:
    return bundle_sync_client(ROOT, ROOT / SYNC_BUNDLE)


@pytest.fixture
def server(tmp_path: Path, client_bundle: Path) -> Iterator[ServerProcess]:
    app = tmp_path / "notes"
    (app / "public").mkdir(parents=True)
    (app / "pylon.manifest.json").write_text(json.dumps(MANIFEST))
    (app / "public" / "index.html").write_text(PAGE)
    (app / "public" / "worker.js").write_text(WORKER)
    process = ServerProcess(app).start()
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    with running_chromium() as chromium:
        yield chromium.new_context()


def opened(browser: BrowserContext, server: ServerProcess) -> Page:
    page = browser.new_page()
    page.goto(server.url)
    expect(page).to_have_title("Started")
    page.wait_for_function("engine.connected")
    return page


def reloaded(page: Page) -> None:
    """Load the page anew, and wait until the client has read what it saved."""
    page.reload()
    expect(page).to_have_title("Started")


def write(page: Page, title: str) -> None:
    """Show and queue a note, and wait until it is saved; not until it is sent."""
    page.evaluate("title => { void write(title); return engine.mutations.saved(); }", title)


def shows(page: Page, *titles: str) -> None:
    expect(page.locator("li")).to_have_text(list(titles), timeout=RECONNECT_MS)


def on_server(page: Page, server: ServerProcess) -> list[str]:
    token = page.evaluate("localStorage.getItem('pylon_token')")
    status, rows = server.request("GET", "/api/entities/Note", token=token)
    assert status == 200, rows
    return sorted(row["title"] for row in rows)


def sent_all(page: Page) -> None:
    page.wait_for_function("engine.mutations.pending().length === 0", timeout=RECONNECT_MS)


def sync_pushes(page: Page) -> list[Any]:
    """What the page sends from now on to the push route."""
    pushes: list[Any] = []

    def note(request: Request) -> None:
        if "sync/push" in request.url:
            pushes.append(request.post_data_json)

    page.on("request", note)
    return pushes


@in_browser
def test_what_is_written_offline_survives_a_reload_and_reaches_the_server_once(
    browser: BrowserContext, server: ServerProcess
) -> None:
    page = opened(browser, server)
    write(page, "online")
    sent_all(page)

    browser.set_offline(True)
    write(page, "offline 1")
    write(page, "offline 2")
    shows(page, "offline 1", "offline 2", "online")
    reloaded(page)
    shows(page, "offline 1", "offline 2", "online")
    assert on_server(page, server) == ["online"]
    browser.set_offline(False)

    sent_all(page)
    shows(page, "offline 1", "offline 2", "online")
    assert on_server(page, server) == ["offline 1", "offline 2", "online"]
    reloaded(page)
    shows(page, "offline 1", "offline 2", "online")


@in_browser
def test_two_tabs_see_each_others_offline_writes_and_send_them_once(
    browser: BrowserContext, server: ServerProcess
) -> None:
    one, two = opened(browser, server), opened(browser, server)
    pushes = [sync_pushes(one), sync_pushes(two)]

    browser.set_offline(True)
    write(one, "from one")
    write(two, "from two")
    shows(one, "from one", "from two")
    shows(two, "from one", "from two")
    browser.set_offline(False)

    for page in (one, two):
        sent_all(page)
        shows(page, "from one", "from two")
    assert on_server(one, server) == ["from one", "from two"]
    orders = [[change["data"]["title"] for change in push["changes"]] for sent in pushes for push in sent]
    assert all(order == sorted(order) for order in orders)


@in_browser
def test_the_next_user_of_the_browser_sees_and_sends_nothing_of_the_one_before(
    browser: BrowserContext, server: ServerProcess
) -> None:
    page = opened(browser, server)
    write(page, "Ada's")
    sent_all(page)
    browser.set_offline(True)
    write(page, "Ada's, unsent")
    ada = page.evaluate("({ token: localStorage.pylon_token, user: localStorage.user })")
    page.evaluate("engine.stop()")
    browser.set_offline(False)

    page.evaluate("enter()")
    reloaded(page)
    page.wait_for_function("engine.connected")
    shows(page)
    assert page.evaluate("engine.mutations.pending().length") == 0
    assert on_server(page, server) == []

    page.evaluate("ada => { localStorage.pylon_token = ada.token; localStorage.user = ada.user; }", ada)
    reloaded(page)
    sent_all(page)
    shows(page, "Ada's", "Ada's, unsent")
    assert on_server(page, server) == ["Ada's", "Ada's, unsent"]


@in_browser
def test_a_replica_of_megabytes_is_saved_and_shown_again_quickly(
    browser: BrowserContext, server: ServerProcess
) -> None:
    page = opened(browser, server)
    elapsed_ms = page.evaluate(
        """async () => {
          const { IndexedDBPersistence } = await import("/_pylon/sync.js");
          const disk = new IndexedDBPersistence("large");
          await disk.open();
          await disk.assign({ session: { userId: "u", tenantId: null, isAdmin: false, roles: [] }, token: null });
          const text = "x".repeat(500);
          const changes = Array.from({ length: 10000 }, (_, i) => ({
            seq: i + 1, entity: "Note", row_id: `n${i}`, kind: "insert", data: { text }, timestamp: "",
          }));
          const start = performance.now();
          await disk.saveBatch({ changes, from: 0, to: 10000 });
          const rows = await disk.loadAll("Note");
          if (rows.length !== 10000) throw new Error(`${rows.length} rows`);
          return performance.now() - start;
        }"""
    )

    assert elapsed_ms < 10_000
