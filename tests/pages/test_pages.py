"""The pages in a real browser, on a real stack."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, WebSocketRoute, expect
from venue import Venue

from tests.pages.people import MAKER, Desk

pytestmark = pytest.mark.stack

LOST = "Connection lost, trying again"


def fill(page: Page, side: str, price: str, quantity: str) -> None:
    """Fill in the order form."""
    page.get_by_text(side, exact=True).first.click()
    page.locator("#price").fill(price)
    page.get_by_label("Quantity").fill(quantity)


def submit(page: Page) -> None:
    page.locator("#order [type=submit]").click()


def rest(venue: Venue, symbol: str, request_id: str, price: int, quantity: int) -> None:
    """Have the maker offer shares; the price is in ticks."""
    venue.order(MAKER, f"{symbol}-{request_id}", "sell", price, quantity, symbol=symbol)


def on_tape(page: Page) -> list[int]:
    """Return the numbers of the trades on the tape, newest first."""
    return [
        int(seq) for seq in page.locator("#tape tr[data-seq]").evaluate_all("rows => rows.map(row => row.dataset.seq)")
    ]


def test_a_buyer_takes_a_price_from_the_ladder_and_another_person_sees_the_trade(
    desk: Desk, venue: Venue, symbol: str
) -> None:
    watcher, buyer = desk.open_market(symbol), desk.open_market(symbol)
    expect(watcher.locator("#tape")).to_contain_text("No trades yet")
    rest(venue, symbol, "ask", 101_25, 10)

    offer = buyer.locator("#ladder").get_by_role("button", name="101.25")
    offer.focus()
    buyer.keyboard.press("Enter")
    expect(buyer.locator("#price")).to_have_value("101.25")
    buyer.get_by_label("Quantity").fill("4")
    submit(buyer)

    expect(buyer.locator("#notice")).to_have_class("notice good")
    expect(buyer.locator("#ended-orders tr.filled")).to_contain_text("4 / 4")
    expect(watcher.locator("#trade-1")).to_contain_text("101.25")
    expect(watcher.locator("#ladder tbody").first).to_contain_text("6")
    expect(watcher.locator("#summary .last")).to_contain_text("101.25")
    expect(watcher.locator(".legend")).to_contain_text("C 101.25   V 4")
    expect(watcher).to_have_title(f"101.25 · {symbol} · Openbell")

    buyer.get_by_label("Kind of order").select_option("market")
    expect(buyer.get_by_label("Time in force")).to_have_value("IOC")
    buyer.get_by_label("Quantity").fill("6")
    submit(buyer)
    expect(watcher.locator("#trade-2")).to_contain_text("6")
    expect(watcher.locator("#ladder")).to_contain_text("No asks")
    expect(buyer.locator("#notice")).to_have_class("notice good")
    buyer.get_by_label("Kind of order").select_option("limit")
    expect(buyer.get_by_label("Time in force")).to_have_value("GTC")


def test_an_order_rests_and_is_cancelled(desk: Desk, symbol: str) -> None:
    page = desk.open_market(symbol)
    fill(page, "Buy", "90.00", "5")
    submit(page)
    order = page.locator("#open-orders tr", has_text=symbol)
    expect(order).to_contain_text("0 / 5")
    expect(page.locator("#ladder .bids tbody")).to_contain_text("90.00")
    expect(page.locator("#balance-USD td").last).to_have_text("450.00")

    order.get_by_role("button", name="Cancel").click()
    expect(page.locator("#ended-orders tr", has_text=symbol)).to_contain_text("Cancelled")
    expect(order).to_have_count(0)
    expect(page.locator("#ladder .bids tbody")).to_contain_text("No bids")
    expect(page.locator("#balance-USD td").last).to_have_text("0.00")


def test_without_scripts_the_page_is_whole_and_its_forms_work(desk: Desk, venue: Venue, symbol: str) -> None:
    live = desk.open_market(symbol)
    rest(venue, symbol, "ask", 50_00, 10)
    expect(live.locator("#ladder .asks tbody")).to_contain_text("50.00")

    page = desk.sit_down(java_script_enabled=False)
    page.goto(f"{desk.url}/")
    page.get_by_role("link", name=symbol).click()
    expect(page.locator("#ladder .asks tbody")).to_contain_text("50.00")
    fill(page, "Buy", "50.00", "3")
    submit(page)
    expect(page).to_have_url(re.compile(r"request="))
    expect(page.locator("#notice")).to_have_class("notice good")
    page.goto(f"{desk.url}/market/{symbol}")
    expect(page.locator("#trade-1")).to_contain_text("50.00")
    page.get_by_text("Candles as a table").click()
    expect(page.locator("#candles tbody tr")).to_contain_text("50.00")

    fill(page, "Buy", "40.00", "2")
    submit(page)
    page.locator("#open-orders tr", has_text=symbol).get_by_role("button", name="Cancel").click()
    expect(page.locator("#open-orders tr", has_text=symbol)).to_have_count(0)


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_placed(desk: Desk, symbol: str) -> None:
    page = desk.open_market(symbol)
    fill(page, "Sell", "12.345", "none")
    submit(page)
    for name in ("price", "quantity"):
        field = page.locator(f"#{name}")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator(f"#{field.get_attribute('aria-describedby')}")).to_be_visible()
    expect(page.locator("#price")).to_have_value("12.345")
    expect(page.get_by_label("Sell", exact=True)).to_be_checked()

    fill(page, "Sell", "12.34", "20000")  # more than the account has
    submit(page)
    expect(page.locator("#quantity-error")).to_contain_text("enough")
    expect(page.locator("#price")).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#orders tr", has_text=symbol)).to_have_count(0)


def test_the_form_shows_what_goes_with_a_kind_and_a_stop_order_waits(desk: Desk, symbol: str) -> None:
    page = desk.open_market(symbol)
    expect(page.locator("#stop")).to_be_hidden()
    page.get_by_label("Kind of order").select_option("stop-limit")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#time_in_force option[value=IOC]")).to_be_disabled()
    fill(page, "Buy", "91.00", "5")
    page.locator("#min_quantity").evaluate("field => { field.value = '2'; }")  # folded away
    page.get_by_label("Stop price").fill("90.00")
    submit(page)
    expect(page.locator("#min_quantity-error")).to_be_visible()
    page.locator("#min_quantity").fill("")
    submit(page)
    order = page.locator("#open-orders tr", has_text=symbol)
    expect(order).to_contain_text("stop 90.00")
    expect(order).to_contain_text("waiting for trigger")
    page.get_by_label("Stop price").fill("80.00")
    page.get_by_label("Kind of order").select_option("limit")
    expect(page.locator("#stop")).to_have_value("")
    expect(page.locator("#stop")).to_be_hidden()


def test_a_lost_connection_is_told_and_leaves_no_gap(desk: Desk, venue: Venue, symbol: str) -> None:
    sockets: list[WebSocketRoute] = []
    cut = False

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if cut:
            socket.close(code=1012)
        else:
            socket.connect_to_server()

    page = desk.sit_down()
    page.route_web_socket(re.compile(r"/live/"), pass_on)
    page.goto(f"{desk.url}/market/{symbol}")
    trade(venue, symbol, 1)
    expect(page.locator("#trade-1")).to_be_visible()

    cut = True
    sockets[0].close(code=1012)
    expect(page.locator("#status")).to_have_text(LOST)
    for number in range(2, 6):
        trade(venue, symbol, number)
    watcher = desk.open_market(symbol)
    expect(watcher.locator("#trade-5")).to_be_visible()
    expect(page.locator("#status")).to_have_text(LOST)
    assert on_tape(page) == [1]

    cut = False
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator("#trade-5")).to_be_visible()
    assert on_tape(page) == [5, 4, 3, 2, 1]
    for shown in (page, watcher):  # candles come on a way of their own
        expect(shown.locator(".legend")).to_contain_text("V 5")
    candles = watcher.locator("#candles").get_attribute("data-candles")
    assert page.locator("#candles").get_attribute("data-candles") == candles


def trade(venue: Venue, symbol: str, number: int) -> None:
    """Have the maker trade one share with itself."""
    for side in ("sell", "buy"):
        venue.order(MAKER, f"{symbol}-{side}-{number}", side, 70_00 + number, 1, symbol=symbol)


def test_the_chart_takes_older_candles_newer_ones_and_another_colour_scheme(desk: Desk, symbol: str) -> None:
    page = desk.open_market(symbol)
    expect(page.locator(".legend")).to_have_text("No trades yet")
    day = 86_400_000
    candles = [[number * day, 10, 12, 9, 11, number] for number in range(20)]

    def push(rows: list[list[int]]) -> None:
        page.locator("#candles").evaluate("(element, text) => { element.dataset.candles = text; }", json.dumps(rows))

    push(candles[5:10])
    expect(page.locator(".legend")).to_contain_text("1970-01-10")
    push([*candles[2:10], candles[10]])  # what a reconnect may bring
    expect(page.locator(".legend")).to_contain_text("1970-01-11")
    push(candles[18:])  # nobody knows what was before
    expect(page.locator(".legend")).to_contain_text("V 19")
    page.locator("#candles").evaluate("element => { element.dataset.tick = '0.1'; element.dataset.candles = '[]'; }")
    expect(page.locator(".legend")).to_have_text("No trades yet")
    push(candles[19:])
    expect(page.locator(".legend")).to_contain_text("V 19")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#chart canvas").first).to_be_visible()


def test_the_chart_and_figures_follow_the_indicators_job(desk: Desk, venue: Venue, symbol: str) -> None:
    page = desk.sit_down()
    page.goto(f"{desk.url}/market/{symbol}?span=1m&pane=obv&marks=vote")
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator("#figures")).to_contain_text("Nothing has been computed of this symbol yet")
    trade(venue, symbol, 1)
    expect(page.locator("#figures .asof")).to_contain_text("as of ")
    expect(page.locator("#figures tbody")).to_contain_text("70.01")
    expect(page.locator("#indicators")).to_contain_text("not warm yet: 1 of 20 bars")
    expect(page.locator(".legend-more")).to_have_text("OBV 1")
    page.get_by_role("button", name="1d", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?(?=.*span=1d)(?=.*pane=obv)(?=.*marks=vote)"))
    expect(page.locator("#candles")).to_have_attribute("data-candles", re.compile("70.01"))
    expect(page.locator(".legend")).to_contain_text("C 70.01   V 1")


def test_an_alert_set_on_the_page_comes_into_its_inbox_live(desk: Desk, venue: Venue, symbol: str) -> None:
    page, market = desk.sit_down(), desk.open_market(symbol)
    page.goto(f"{desk.url}/alerts?symbol={symbol}")
    page.get_by_label("Name").fill("above-70-01")
    page.get_by_label("Price", exact=True).fill("70.015")
    page.get_by_label("Which way").select_option("up")
    page.get_by_role("button", name="Set the alert").click()
    expect(page.locator("#notice")).to_contain_text("is set")
    expect(page.locator("#alerts li")).to_contain_text("the price crosses 70.015 from below")
    expect(page.locator("#status")).to_have_text("Live")
    trade(venue, symbol, 1)
    expect(market.locator("#trade-1")).to_be_visible()
    trade(venue, symbol, 2)
    expect(page.locator("#inbox li.new")).to_contain_text(symbol)
    expect(market.locator("#unread .badge")).to_contain_text("1")
    page.locator("#alerts").get_by_role("button", name="Remove").click()
    expect(page.locator("#alerts")).to_contain_text("None yet")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_used_by_everyone(desk: Desk, symbol: str, scheme: str) -> None:
    page = desk.sit_down(color_scheme=scheme, reduced_motion="reduce")
    for path in ("/", f"/market/{symbol}", "/alerts", "/market/NOSUCHUSD"):
        page.goto(f"{desk.url}{path}")
        if "NOSUCH" not in path:
            expect(page.locator("#status")).to_have_text("Live")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
