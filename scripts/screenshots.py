"""Take pictures of the pages for the documents: `.venv/bin/python scripts/screenshots.py URL [FOLDER]`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Final, Literal, TypeAlias

from playwright.sync_api import Browser, ViewportSize, sync_playwright

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
WIDE: Final = ViewportSize(width=1280, height=800)
NARROW: Final = ViewportSize(width=390, height=844)
BYTES_MAX: Final = 300_000
"""Greatest size of a picture: they are committed."""

Scheme: TypeAlias = Literal["light", "dark"]


def take(browser: Browser, address: str, picture: Path, scheme: Scheme, viewport: ViewportSize) -> None:
    """Save what a page looks like once it is live and its chart, if it has one, is drawn."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    answer = page.goto(address)
    if answer is None or not answer.ok:
        raise SystemExit(f"{address} answers {answer.status if answer else 'nothing'}")
    page.locator("#status.live").wait_for()
    if page.locator("#chart").count():
        page.locator("#chart canvas").first.wait_for()
    page.screenshot(path=picture, animations="disabled")
    context.close()
    size = picture.stat().st_size
    if size > BYTES_MAX:
        raise SystemExit(f"{picture} has {size} bytes, more than {BYTES_MAX}")
    print(picture)


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
    markets, market = f"{arguments.url}/", f"{arguments.url}/market/{arguments.symbol}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        schemes: tuple[Scheme, ...] = ("light", "dark")
        for scheme in schemes:
            take(browser, markets, arguments.folder / f"markets-{scheme}.png", scheme, WIDE)
            take(browser, market, arguments.folder / f"market-{scheme}.png", scheme, WIDE)
        take(browser, market, arguments.folder / "market-narrow.png", "light", NARROW)
        browser.close()


if __name__ == "__main__":
    main()
