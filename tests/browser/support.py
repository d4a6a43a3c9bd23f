"""What the browser tests share: Chromium, how long they wait, and where pictures go."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).parents[2]
ARTIFACTS = Path(os.environ.get("PYLON_ARTIFACTS", ROOT / "artifacts"))
CHROMIUM = os.environ.get("PYLON_CHROMIUM") or shutil.which("chromium")
CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 40_000
"""How long to wait for what has to come: on a busy machine, and where a client waits before it connects again."""

expect.set_options(timeout=PATIENCE_MS)

_needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: install `chromium` or name one in PYLON_CHROMIUM"
)


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.browser(_needs_chromium(test))  # type: ignore[no-any-return]  # marks are untyped


@contextmanager
def running_chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()
