"""A browser at the page of the shared stack, with a symbol of its own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from venue import Venue

from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from tests.pages.people import MAKER, Desk

SYMBOLS = (
    "ASHUSD",
    "BIRCHUSD",
    "CEDARUSD",
    "ELMUSD",
    "FIRUSD",
    "HAZELUSD",
    "LARCHUSD",
    "OAKUSD",
    "PINEUSD",
    "TEAKUSD",
    "YEWUSD",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 20_000


@pytest.fixture(scope="session")
def venue(stack: Stack) -> Venue:
    """The shared stack's own venue, with the symbols of these tests listed, and a maker and the demo account funded."""
    venue = Venue(stack, stack.venue, stack.settings.clock)
    venue.list(*SYMBOLS)
    bases = [symbol.removesuffix("USD") for symbol in SYMBOLS]
    venue.fund(MAKER, USD=1_000_000_00, **dict.fromkeys(bases, 10_000))
    last = f"{stack.page_url}/market/{SYMBOLS[-1]}"
    assert wait_until(lambda: all(f'id="balance-{asset}"' in _read(last) for asset in ("USD", *bases)), 60, every=0.2)
    return venue


def _read(url: str) -> str:
    try:
        with urlopen(url) as answer:
            return str(answer.read().decode())
    except HTTPError:
        return ""


_symbols = iter(SYMBOLS)


@pytest.fixture
def symbol(venue: Venue) -> str:
    """A symbol that no other test trades."""
    del venue  # lists it
    return next(_symbols)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser. It ends with the module, because Playwright keeps an event loop running in this thread while it is there."""
    executable = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if executable is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def desk(browser: Browser, stack: Stack) -> Iterator[Desk]:
    """Open browsers, and see that nothing was asked of other servers and that no browser complained."""
    desk = Desk(browser, stack.page_url)
    yield desk
    desk.leave()
    refused = "Failed to load resource: the server responded with a status of 4"  # how a browser tells of a wrong order
    assert [said for said in desk.watched.complaints if not said.startswith(refused)] == []
    assert desk.watched.servers <= {urlsplit(stack.page_url).netloc}
    assert "openbell_csp_reports_total 0.0" in _read(f"{stack.page_url}/metrics")
