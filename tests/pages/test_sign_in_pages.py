"""A person signs up, protects their user, makes a key, trades, and signs out and in: in a real browser, with JavaScript and without."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyotp
import pytest
import redis_server
import uvicorn
from playwright.sync_api import Browser, expect

from gateway.websockets.page_sockets import LiveProtocol
from openbell.supervise.processes import wait_until
from tests.gateway.let_in import PASSWORD, peopled
from tests.pages.people import Desk


@pytest.fixture(scope="module")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with people, whose market is in memory."""
    folder = tmp_path_factory.mktemp("people")
    with redis_server.running(folder) as redis_url:
        app = peopled(redis_url, "people", folder).app
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws=LiveProtocol))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert wait_until(lambda: server.started, 20)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_a_person_signs_up_trades_and_comes_back_with_a_second_factor(
    browser: Browser, page_url: str, javascript: bool
) -> None:
    desk = Desk(browser, page_url)
    page = desk.sit_down(java_script_enabled=javascript)
    page.goto(f"{page_url}/alerts")
    page.locator("#alert").get_by_role("link", name="Sign in").click()  # for e-mails and webhooks
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Name").fill("annabel")
    page.get_by_label("Password").fill("too short")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("#password-error")).to_contain_text("10 to 128 characters")
    expect(page.get_by_label("Name")).to_have_value("annabel")
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    name = page.locator("h1").inner_text()
    assert name.startswith("annabel-")

    page.get_by_label("Trade").check()
    page.locator("#key_password").fill("not " + PASSWORD)
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#key_password-error")).to_have_text("This is not your password.")
    expect(page.get_by_label("Trade")).to_be_checked()
    expect(page.locator("#key_password")).to_have_value("")
    page.locator("#key_password").fill(PASSWORD)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("This is your new key")).to_be_visible()

    page.goto(f"{page_url}/account")
    page.locator("#factor_password").fill(PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    page.get_by_label("Code").fill(
        pyotp.TOTP(page.locator("#factor-heading >> xpath=../.. >> .secret").inner_text()).now()
    )
    page.get_by_role("button", name="Turn it on").click()
    code = page.locator(".codes code").first.inner_text()

    page.goto(f"{page_url}/market/AAPLUSD")
    page.locator("#price").fill("50.00")
    page.locator("#quantity").fill("2")
    page.get_by_role("button", name="Buy AAPLUSD").click()
    expect(page.locator("#open-orders")).to_contain_text("50.00")
    expect(page.locator("#orders-heading")).to_have_text(f"Orders of user.{name}")

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{page_url}/market/AAPLUSD")
    expect(page.locator("#orders-heading")).to_have_text("Orders of demo")
    page.goto(f"{page_url}/account")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("h1")).to_have_text(name)
    desk.leave()
    refused = "Failed to load resource: the server responded with a status of 422"
    assert [said for said in desk.watched.complaints if not said.startswith(refused)] == []
