"""The page of the interfaces works in a browser, under the policy that every answer has."""

from __future__ import annotations

import shutil

import httpx
import pytest
from playwright.sync_api import sync_playwright

from gateway.openapi.document import OPERATIONS
from tests.openapi.served_app import app_with, served

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 60_000


@pytest.mark.slow
def test_the_page_shows_every_operation_and_can_ask_it_and_breaks_no_policy(redis_url: str) -> None:
    executable = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if executable is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    app, _ = app_with(redis_url, "paged", None)
    said: list[str] = []
    with served(app) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{url}/docs")
        page.wait_for_selector(".opblock")
        shown = page.locator(".opblock").count()
        page.locator(".opblock-summary", has_text="/api/v3/depth").click()
        page.get_by_role("button", name="Try it out").click()
        page.locator("input[placeholder=symbol]").fill("AAPLUSD")
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table").get_by_text("lastUpdateId").first.wait_for()
        browser.close()
        figures = httpx.get(f"{url}/metrics").text
    assert shown == len(OPERATIONS)
    assert said == []
    assert "\nopenbell_csp_reports_total 0.0\n" in figures
