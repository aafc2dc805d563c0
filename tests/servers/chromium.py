"""A browser for tests of pages: Debian's Chromium, driven by Playwright, which brings none of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.debian import ServerMissing, find_or_install, skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Tests run as root, without a graphics card, and nothing but the tests' own servers has to be reached.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_MILLISECONDS = 30_000


@pytest.fixture(scope="module")  # while it runs, nothing else in this process can run an event loop
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    try:
        chromium = find_or_install(_chromium, "chromium")
    except ServerMissing as missing:
        skip_or_fail(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of a user's own. What it showed last is in ``tmp_path``, which is kept if the test fails."""
    context = browser.new_context(viewport={"width": 1400, "height": 1200}, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(_MILLISECONDS)
    page = context.new_page()
    yield page
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    context.close()


def _chromium() -> Path | None:
    found = shutil.which("chromium")
    return Path(found) if found else None
