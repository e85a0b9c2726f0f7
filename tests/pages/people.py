"""People at the pages: browsers of their own, and what went on in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect

MAKER = "pages-maker"
"""Trades with the people; it has no page."""
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`Content Security Policy: ${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Watched:
    """What went on in a browser: what it complained of, and the servers that it asked."""

    complaints: list[str] = field(default_factory=list)
    servers: set[str] = field(default_factory=set)

    def watch(self, context: BrowserContext) -> None:
        """Note what goes on in a context from now on."""
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self.servers.add(urlsplit(request.url).netloc))
        context.on(
            "page", lambda page: page.on("websocket", lambda socket: self.servers.add(urlsplit(socket.url).netloc))
        )


class Desk:
    """Opens browsers at the page, each with its own context, as different people have them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.watched = Watched()
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def sit_down(self, **settings: Any) -> Page:
        """Return an empty page of a new person."""
        context = self._browser.new_context(**settings)
        self._contexts.append(context)
        self.watched.watch(context)
        return context.new_page()

    def open_market(self, symbol: str, **settings: Any) -> Page:
        """Return a new person's page of a symbol, once it is live."""
        page = self.sit_down(**settings)
        page.goto(f"{self.url}/market/{symbol}")
        expect(page.locator("#status")).to_have_text("Live")
        return page

    def leave(self) -> None:
        """Close all that was opened."""
        for context in self._contexts:
            context.close()
