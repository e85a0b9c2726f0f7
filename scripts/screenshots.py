"""Take pictures of the pages for the documents: `.venv/bin/python scripts/screenshots.py URL [FOLDER]`."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, ViewportSize, sync_playwright

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
WIDE: Final = ViewportSize(width=1280, height=800)
NARROW: Final = ViewportSize(width=390, height=844)
CENT: Final = Decimal("0.01")
WAIT_S: Final = 300
BYTES_MAX: Final = 300_000
"""Greatest size of a picture: they are committed."""

Scheme: TypeAlias = Literal["light", "dark"]


def take(browser: Browser, address: str, picture: Path, scheme: Scheme, viewport: ViewportSize, part: str = "") -> None:
    """Save what a page, or a window from a `part` of it on, looks like once it is live and its chart, if it has one, is drawn."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    answer = page.goto(address)
    if answer is None or not answer.ok:
        raise SystemExit(f"{address} answers {answer.status if answer else 'nothing'}")
    page.locator("#status.live").wait_for()
    if page.locator("#chart").count():
        page.locator("#chart canvas").first.wait_for()
    if part:
        page.locator(part).evaluate("element => element.scrollIntoView()")
    page.screenshot(path=picture, animations="disabled")
    context.close()
    size = picture.stat().st_size
    if size > BYTES_MAX:
        raise SystemExit(f"{picture} has {size} bytes, more than {BYTES_MAX}")
    print(picture)


def trade(url: str, symbol: str) -> None:
    """Give the pictures something to show: let the demo account leave a few orders, and trade a little."""
    for left in ask_for(f"{url}/api/native/orders")["open_orders"]:
        urlopen(Request(f"{url}/api/native/orders/{left['order_id']}", method="DELETE")).close()
    market = ask_for(f"{url}/api/native/markets/{symbol}")
    bid, ask = Decimal(market["bid"]), Decimal(market["ask"])
    for step in range(1, 10):
        for side, price in (("buy", bid - step * CENT), ("sell", ask + step * CENT)):
            order(url, {"symbol": symbol, "side": side, "price": str(price), "quantity": str(100 * (1 + step % 2))})
    order(url, {"symbol": symbol, "side": "buy", "kind": "market", "quantity": "300"})
    order(url, {"symbol": symbol, "side": "sell", "kind": "market", "quantity": "200"})


def wait_live(url: str) -> None:
    """Wait until the views are those of now: a fast replay is over before all that follows from it is computed."""
    until_s = time.monotonic() + WAIT_S
    while not ask_for(f"{url}/api/native/status")["live"]:
        if time.monotonic() > until_s:
            raise SystemExit(f"the views of {url} are not live after {WAIT_S} s")
        time.sleep(0.5)


def ask_for(address: str) -> Any:
    """Return what an address of the REST API answers."""
    with urlopen(address) as answer:
        return json.load(answer)


def order(url: str, terms: dict[str, str]) -> None:
    """Place an order of the demo account."""
    body = json.dumps(terms).encode()
    urlopen(Request(f"{url}/api/native/orders", body, {"Content-Type": "application/json"})).close()


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the pages are, such as http://127.0.0.1:8080")
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    parser.add_argument("--symbol", default="AAPLUSD")
    arguments = parser.parse_args()
    executable = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if executable is None:
        raise SystemExit(f"needs one of {', '.join(BROWSERS)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    wait_live(arguments.url)
    trade(arguments.url, arguments.symbol)
    markets, market = f"{arguments.url}/", f"{arguments.url}/market/{arguments.symbol}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        schemes: tuple[Scheme, ...] = ("light", "dark")
        for scheme in schemes:
            take(browser, markets, arguments.folder / f"markets-{scheme}.png", scheme, WIDE)
            take(browser, market, arguments.folder / f"market-{scheme}.png", scheme, WIDE)
            take(browser, market, arguments.folder / f"analysis-{scheme}.png", scheme, WIDE, part=".analysis")
        take(browser, market, arguments.folder / "market-narrow.png", "light", NARROW)
        browser.close()


if __name__ == "__main__":
    main()
